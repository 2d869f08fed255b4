#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "evidence/collectors/ptrace_state.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/process.hpp"

namespace lab::evidence {
namespace {

constexpr long options = PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD;
constexpr int syscall_stop = SIGTRAP | 0x80;  // by PTRACE_O_TRACESYSGOOD

}  // namespace

// A thread nobody told of yet: a clone's first stop may come before its parent's event.
Tracee& CallTracer::State::tracee(pid_t tid) {
  const auto [found, fresh] = tracees.try_emplace(tid);
  auto& tracee = found->second;
  if (fresh || !tracee.process) tracee.process = process_of(tid);
  return tracee;
}

Program& CallTracer::State::program(pid_t process) {
  const auto [found, fresh] = programs.try_emplace(process);
  if (fresh && process > 0) {
    const auto fd = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
    hidden |= fd < 0 && errno != ESRCH;  // else it has gone
    found->second.process = sys::Descriptor(fd);
  }
  return found->second;
}

void CallTracer::State::resume(pid_t tid, int signal) {
  const auto found = tracees.find(tid);
  const bool to_exit = found != tracees.end() && (found->second.inside || found->second.every_call);
  still_there(::ptrace(to_exit ? PTRACE_SYSCALL : PTRACE_CONT, tid, nullptr, signal), "PTRACE_CONT");
}

TraceGate::TraceGate() {
  auto pipe = sys::make_pipe();
  read_ = std::move(pipe.read);
  write_ = std::move(pipe.write);
}

void TraceGate::pass() {
  write_.reset();
  char byte = 0;
  ssize_t n = 0;
  while ((n = ::read(read_.get(), &byte, 1)) == -1 && errno == EINTR) {
  }
  sys::check(n, "the call tracer's gate");
  read_.reset();
}

void TraceGate::open() { write_.reset(); }

std::string CallTracer::why_not() {
  try {
    if (sys::read_file("/proc/sys/kernel/yama/ptrace_scope").starts_with("3"))
      return "kernel.yama.ptrace_scope is 3: nobody may trace";
  } catch (const sys::KernelError&) {
    // no Yama
  }
  return "";
}

CallTracer::CallTracer() : state_(std::make_unique<State>()) {
  if (const auto why = why_not(); !why.empty()) throw sys::Unavailable(why);
}

CallTracer::~CallTracer() = default;

void CallTracer::adopt(pid_t pid, bool every_call) {
  sys::check(::ptrace(PTRACE_SEIZE, pid, nullptr, options), fmt::format("trace process {}", pid));
  auto& tracee = state_->tracees[pid];
  tracee.process = pid;
  tracee.every_call = every_call;
  if (!every_call) return;
  // Calls are reported from the first resumption on: it has to stop once.
  sys::check(::ptrace(PTRACE_INTERRUPT, pid, nullptr, nullptr), fmt::format("trace process {}", pid));
}

bool CallTracer::handle(pid_t pid, int status, Sink& sink) {
  if (!WIFSTOPPED(status)) {
    if (const auto gone = state_->tracees.find(pid); gone != state_->tracees.end()) {
      if (gone->second.process == pid) state_->programs.erase(pid);
      state_->tracees.erase(gone);
    }
    return false;
  }
  const int signal = WSTOPSIG(status), number = status >> 16;
  if (number) {
    state_->event(pid, number, signal, sink);
  } else if (signal == syscall_stop) {
    if (const auto stop = call_stop(pid)) {
      if (stop->where == CallStop::entry) state_->entered(pid, *stop, sink);
      if (stop->where == CallStop::exit) state_->left(pid, stop->result, sink);
    }
    state_->resume(pid);
  } else {
    state_->delivered(pid, signal, sink);
    state_->resume(pid, signal);
  }
  return true;
}

std::vector<Collector> CallTracer::accounts() const {
  std::string why = "through ptrace: the programs ran slower, races may come out differently";
  if (state_->left_out) why += fmt::format("; {} repetitions counted, not listed", state_->left_out);
  if (state_->foreign) why += "; blind to calls of 32-bit programs";
  if (state_->io_uring) why += "; blind to what was done through io_uring";
  if (state_->hidden) why += "; blind to what some descriptors were";
  const std::uint64_t lost = state_->io_uring || state_->foreign || state_->hidden ? 1 : 0;  // how many, nobody knows
  return {{"syscalls", true, why, state_->calls, lost, true},
          {"signals", true, "programs' only; through ptrace, which is not told who sends SIGKILL", state_->signals, 0,
           true}};
}

}  // namespace lab::evidence
