#include <fmt/format.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>

#include "evidence/collectors/ptrace_tracee.hpp"
#include "evidence/collectors/syscalls.hpp"
#include "evidence/collectors/syscalls_judge.h"
#include "evidence/collectors/syscalls_repeats.hpp"
#include "evidence/collectors/syscalls_restarts.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/process.hpp"

namespace lab::evidence {
namespace {

constexpr long options = PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                         PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACESYSGOOD;
constexpr int syscall_stop = SIGTRAP | 0x80;  // by PTRACE_O_TRACESYSGOOD

bool is_stop_signal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

__u64 now() { return static_cast<__u64>(sys::now_ns()); }

// A thread.
struct Tracee {
  pid_t process = 0;
  bool every_call = false;
  bool inside = false;   // in the call `call` is about
  bool exiting = false;  // `call` is its last
  raw_call call{};
  int fd = -1;
  bool tcp = false;
  Ends ends;
};

// What its threads share.
struct Program {
  sys::Descriptor process;  // pidfd
  bool stopped = false;
  bool started = false;  // it, or what it was forked from, has called execve
  std::map<int, Ends>
      connections;  // last known, by descriptor: getpeername(2) knows no peer once a connection has died
};

}  // namespace

struct CallTracer::State {
  std::map<pid_t, Tracee> tracees;
  std::map<pid_t, Program> programs;
  Repeats repeats;
  Restarts restarts;
  std::uint64_t calls = 0, signals = 0, left_out = 0;
  bool finished = false, foreign = false, io_uring = false;

  Tracee& tracee(pid_t tid);
  Program& program(pid_t process);
  void resume(pid_t tid, int signal = 0);
  void event(pid_t tid, int number, int signal, Sink& sink);
  void forked(pid_t tid);
  void executed(pid_t tid);
  void dying(pid_t tid, Sink& sink);
  void stopped(pid_t tid, bool now_stopped, Sink& sink);
  void delivered(pid_t tid, int signal, Sink& sink);
  void entered(pid_t tid, const CallStop& stop, Sink& sink);
  void left(pid_t tid, std::int64_t result, Sink& sink);
  void find_connection(Tracee& tracee, int fd);
  void copy_memory(pid_t tid, raw_call& call);
  void tell(Sink& sink, const SeenCall& call);
  void put(Sink& sink, Event event);
};

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
    if (fd >= 0) found->second.process = sys::Descriptor(fd);  // else it has gone
  }
  return found->second;
}

void CallTracer::State::put(Sink& sink, Event event) {
  ++(std::holds_alternative<SignalSent>(event.what) ? signals : calls);
  sink.put(std::move(event));
}

void CallTracer::State::tell(Sink& sink, const SeenCall& seen) {
  for (const auto& call : restarts.pass(seen)) put(sink, call_event(call.raw, call.ends));
}

void CallTracer::State::resume(pid_t tid, int signal) {
  const auto found = tracees.find(tid);
  const bool to_exit = found != tracees.end() && (found->second.inside || found->second.every_call);
  still_there(::ptrace(to_exit ? PTRACE_SYSCALL : PTRACE_CONT, tid, nullptr, signal), "PTRACE_CONT");
}

void CallTracer::State::find_connection(Tracee& tracee, int fd) {
  auto& own = program(tracee.process);
  tracee.ends = {};
  const auto found = connection_of(own.process.get(), fd);
  tracee.tcp = found.has_value();
  if (!found) {
    own.connections.erase(fd);
    return;
  }
  tracee.ends = *found;
  auto& known = own.connections[fd];
  if (!found->peer.known() && known.local == found->local) tracee.ends = known;
  known = tracee.ends;
}

void CallTracer::State::copy_memory(pid_t tid, raw_call& call) {
  const auto& look = known_call(call.nr)->look;
  call.data_length = call.second_length = 0;
  if (look.data < 6) call.data_length = static_cast<__u8>(read_memory(tid, call.args[look.data], call.data, RAW_DATA));
  if (look.second < 6 && read_memory(tid, call.args[look.second], call.second, RAW_SECOND) == RAW_SECOND)
    call.second_length = RAW_SECOND;
}

void CallTracer::State::entered(pid_t tid, const CallStop& stop, Sink& sink) {
  auto& own = tracee(tid);
  if (stop.foreign) foreign = true;
  const KnownCall* known = known_call(static_cast<unsigned>(stop.nr));
  // The filter's stop comes behind the one at every call.
  if ((own.inside || own.exiting) && own.call.nr == stop.nr) return;
  own.inside = false;
  if (stop.foreign || (!known && !traced_call(static_cast<unsigned>(stop.nr)))) return;
  const int kind = known ? known->look.kind : int{CALL_NONE};
  own.call = {};
  own.call.header.kind = RAW_CALL;
  own.call.start_ns = own.call.header.t_ns = now();
  own.call.nr = static_cast<__u32>(stop.nr);
  std::copy(std::begin(stop.args), std::end(stop.args), own.call.args);
  own.call.pid = own.process;
  own.call.tid = tid;
  own.fd = known && known->look.fd < 6 ? static_cast<int>(stop.args[known->look.fd]) : -1;
  own.tcp = false;
  own.ends = {};
  if (own.fd >= 0) find_connection(own, own.fd);
  // What fails to read from a file is of no interest; a write may hit a limit.
  const bool reads = own.call.nr == SYS_read || own.call.nr == SYS_readv || own.call.nr == SYS_pread64;
  own.inside = kind != CALL_EXIT && !(reads && !own.tcp);
  own.exiting = kind == CALL_EXIT;
  if (own.exiting && program(own.process).started && !finished) put(sink, call_event(own.call, {}));
  if (own.call.nr == SYS_close) program(own.process).connections.erase(own.fd);
  if (own.call.nr == SYS_execve) copy_memory(tid, own.call);
}

// From here on its own filter's answers would be missed.
bool filters_itself(const raw_call& call) {
  return (call.nr == SYS_seccomp && call.args[0] == SECCOMP_SET_MODE_FILTER) ||
         (call.nr == SYS_prctl && call.args[0] == PR_SET_SECCOMP);
}

void CallTracer::State::left(pid_t tid, std::int64_t result, Sink& sink) {
  auto& own = tracee(tid);
  if (!std::exchange(own.inside, false)) return;
  auto& call = own.call;
  const KnownCall* known = known_call(call.nr);
  if (filters_itself(call) && result >= 0)
    for (auto& [other, thread] : tracees)
      if (thread.process == own.process) thread.every_call = true;
  if (!known || !program(own.process).started || finished) return;
  call.result = result;
  call.returned = 1;
  call.header.t_ns = now();
  if (known->look.kind == CALL_NAME) find_connection(own, own.fd);
  if (known->look.kind == CALL_ACCEPT && result >= 0) find_connection(own, static_cast<int>(result));
  copy_memory(tid, call);
  std::uint16_t family = 0;
  if (call.data_length >= sizeof family) std::memcpy(&family, call.data, sizeof family);
  const int verdict =
      judge_call(known->look.kind, call.args, result, own.tcp, known->look.kind == CALL_NAME && family == AF_UNIX);
  const int error = call_error(result);
  const int outcome = error ? error : result ? 0 : -1;
  if (verdict == LEAVE_OUT) return;
  if (call.nr == SYS_io_uring_setup) io_uring = true;
  if ((verdict == THIN_OUT || error) && repeats.fold(call, own.fd, outcome, own.ends)) return;
  if (call.nr == SYS_execve) std::strncpy(call.name, name_of_task(tid).c_str(), sizeof call.name - 1);
  tell(sink, {call, own.ends});
}

void CallTracer::State::forked(pid_t tid) {
  const auto child = event_message(tid);
  if (!child) return;
  const auto made = static_cast<pid_t>(*child);
  const auto parent = tracee(tid);
  auto& thread = tracee(made);
  thread.every_call = thread.every_call || parent.every_call;
  if (thread.process == parent.process || !thread.process) return;
  auto& own = program(thread.process);
  const auto& from = program(parent.process);
  own.started = from.started;
  own.connections = from.connections;
}

// The caller goes on under its process's number, whatever thread it was; the others are gone.
void CallTracer::State::executed(pid_t tid) {
  const auto former = event_message(tid);
  if (former && static_cast<pid_t>(*former) != tid)
    if (auto moved = tracees.extract(static_cast<pid_t>(*former)); !moved.empty()) {
      tracees.erase(tid);
      moved.key() = tid;
      moved.mapped().call.tid = tid;
      tracees.insert(std::move(moved));
    }
  program(tracee(tid).process).started = true;
}

void CallTracer::State::dying(pid_t tid, Sink& sink) {
  const auto status = event_message(tid);
  auto& own = tracee(tid);
  if (!status || finished || !program(own.process).started) return;
  if (std::exchange(own.inside, false) && known_call(own.call.nr)) {
    own.call.returned = 0;
    own.call.header.t_ns = own.call.start_ns;
    copy_memory(tid, own.call);
    tell(sink, {own.call, own.ends});
  }
  const int ended = static_cast<int>(*status);
  if (!WIFSIGNALED(ended) || WTERMSIG(ended) != SIGSYS) return;
  const auto last = registers(tid);
  if (!last) return;
  raw_call call{};
  call.header.t_ns = now();
  call.nr = static_cast<__u32>(last->nr);
  std::copy(std::begin(last->args), std::end(last->args), call.args);
  call.pid = own.process;
  call.tid = tid;
  const KnownCall* known = known_call(call.nr);
  if (known && known->look.fd < 6) find_connection(own, static_cast<int>(call.args[known->look.fd]));
  put(sink, filter_event(call, known ? own.ends : Ends{}));
}

void CallTracer::State::delivered(pid_t tid, int signal, Sink& sink) {
  const auto info = signal_info(tid);
  const auto process = tracee(tid).process;
  if (!info || signal == SIGCHLD || finished || ignores(tid, signal)) return;
  SignalSent sent;
  sent.signal = signal;
  sent.target = process;
  // A positive code is the kernel's; SIGPIPE and SIGXFSZ are raised by a call of the task's own, as if it had sent
  // them.
  const bool own_call = (signal == SIGPIPE || signal == SIGXFSZ) && info->si_code == SI_USER && info->si_pid == process;
  sent.by_kernel = info->si_code > 0 || own_call;
  if (!sent.by_kernel) {
    sent.sender = info->si_pid;
    sent.sender_name = sent.sender ? name_of_task(sent.sender) : "";
    sent.by_lab = sent.sender == ::getpid();
  }
  put(sink, {.t_ns = sys::now_ns(), .what = sent});
}

// In /proc it looks like any task that is traced: "t", not "T".
void CallTracer::State::stopped(pid_t tid, bool now_stopped, Sink& sink) {
  const auto process = tracee(tid).process;
  auto& own = program(process);
  if (own.stopped == now_stopped || finished) return;
  own.stopped = now_stopped;
  ProcessState state;
  state.pid = process;
  state.state = now_stopped ? "stopped" : "running";
  state.when = "change";
  sink.put({.t_ns = sys::now_ns(), .what = state});
}

void CallTracer::State::event(pid_t tid, int number, int signal, Sink& sink) {
  switch (number) {
    case PTRACE_EVENT_SECCOMP:
      if (const auto stop = call_stop(tid)) entered(tid, *stop, sink);
      break;
    case PTRACE_EVENT_CLONE:
    case PTRACE_EVENT_FORK:
    case PTRACE_EVENT_VFORK:
      forked(tid);
      break;
    case PTRACE_EVENT_EXEC:
      executed(tid);
      break;
    case PTRACE_EVENT_EXIT:
      dying(tid, sink);
      break;
    case PTRACE_EVENT_STOP:
      stopped(tid, is_stop_signal(signal), sink);
      if (is_stop_signal(signal)) {  // it stays stopped until SIGCONT
        still_there(::ptrace(PTRACE_LISTEN, tid, nullptr, nullptr), "PTRACE_LISTEN");
        return;
      }
      break;
    default:
      break;
  }
  resume(tid);
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

void CallTracer::finish(Sink& sink) {
  auto& state = *state_;
  if (std::exchange(state.finished, true)) return;
  for (auto& [tid, tracee] : state.tracees) {
    if (!state.program(tracee.process).started) continue;
    auto call = tracee.call;
    if (!tracee.inside) {
      const auto sleeping = sleeping_in(tid);
      if (!sleeping || !known_call(static_cast<unsigned>(sleeping->nr))) continue;
      call = {};
      call.start_ns = now();  // when it was seen there: /proc does not say since when
      call.nr = static_cast<__u32>(sleeping->nr);
      std::copy(std::begin(sleeping->args), std::end(sleeping->args), call.args);
      call.pid = tracee.process;
      call.tid = tid;
      tracee.ends = {};
    }
    if (!known_call(call.nr)) continue;
    call.returned = 0;
    call.header.t_ns = call.start_ns;
    state.tell(sink, {call, tracee.ends});
  }
  for (const auto& call : state.restarts.rest()) state.put(sink, call_event(call.raw, call.ends));
  auto rest = state.repeats.rest();
  state.left_out = rest.left_out;
  for (auto& event : rest.events) state.put(sink, std::move(event));
}

std::vector<Collector> CallTracer::accounts() const {
  std::string why = "through ptrace: the programs ran slower, races may come out differently";
  if (state_->left_out) why += fmt::format("; {} repetitions counted, not listed", state_->left_out);
  if (state_->foreign) why += "; blind to calls of 32-bit programs";
  if (state_->io_uring) why += "; blind to what was done through io_uring";
  return {{"syscalls", true, why, state_->calls, 0, true},
          {"signals", true, "programs' only; through ptrace, which is not told who sends SIGKILL", state_->signals, 0,
           true}};
}

}  // namespace lab::evidence
