// What else happens to traced tasks: they fork, execute, get signals, stop and die.
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "evidence/collectors/ptrace_state.hpp"
#include "system/clock.hpp"

namespace lab::evidence {
namespace {

bool is_stop_signal(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

}  // namespace

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
  call.header.t_ns = static_cast<__u64>(sys::now_ns());
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
  // A process sends with kill, sigqueue or tgkill; all else is the kernel's, timers' too (man sigaction). SIGPIPE and
  // SIGXFSZ are raised by a call of the task's own, as if it had sent them.
  const bool own_call = (signal == SIGPIPE || signal == SIGXFSZ) && info->si_code == SI_USER && info->si_pid == process;
  const bool sent_by_a_process = info->si_code == SI_USER || info->si_code == SI_QUEUE || info->si_code == SI_TKILL;
  sent.by_kernel = !sent_by_a_process || own_call;
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

}  // namespace lab::evidence
