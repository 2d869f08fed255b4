// Calls as they begin and end.
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "evidence/collectors/ptrace_state.hpp"
#include "evidence/collectors/syscalls_judge.h"
#include "system/clock.hpp"

namespace lab::evidence {
namespace {

__u64 now() { return static_cast<__u64>(sys::now_ns()); }

}  // namespace

void CallTracer::State::put(Sink& sink, Event event) {
  ++(std::holds_alternative<SignalSent>(event.what) ? signals : calls);
  sink.put(std::move(event));
}

void CallTracer::State::tell(Sink& sink, const SeenCall& seen) {
  for (const auto& call : restarts.pass(seen)) put(sink, call_event(call.raw, call.ends));
}

void CallTracer::State::find_connection(Tracee& tracee, int fd) {
  auto& own = program(tracee.process);
  tracee.ends = {};
  int error = 0;
  const auto found = connection_of(own.process.get(), fd, error);
  hidden |= error != 0 && error != EBADF && error != ENOTSOCK && error != ESRCH;
  tracee.tcp = found.has_value();
  if (!found) {
    own.connections.erase(fd);
    return;
  }
  tracee.ends = *found;
  auto& known = own.connections[fd];
  if (!found->peer.known() && known.local == found->local) tracee.ends = known;
  tracee.ends.tcp = true;
  known = tracee.ends;
}

// Its target, where that is a connection: it is closed without a word (man dup2).
void CallTracer::State::find_doubled(Tracee& tracee) {
  const int target = static_cast<int>(tracee.call.args[1]);
  if (target < 0 || target == tracee.fd) return;
  find_connection(tracee, target);
  if (!tracee.tcp) return;
  tracee.call.other = 1;
  tracee.fd = target;
}

// What it reads from, where that is a connection.
void CallTracer::State::find_spliced(Tracee& tracee) {
  const int source = static_cast<int>(tracee.call.args[0]);
  if (source >= 0) find_connection(tracee, source);
  if (!tracee.tcp) return;
  tracee.call.other = 1;
  tracee.fd = source;
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
  own.call.queued_ns = own.call.start_queued_ns = -1;  // a stop is no wait for a CPU, and takes longer
  own.call.nr = static_cast<__u32>(stop.nr);
  std::copy(std::begin(stop.args), std::end(stop.args), own.call.args);
  own.call.pid = own.process;
  own.call.tid = tid;
  own.fd = known && known->look.fd < 6 ? static_cast<int>(stop.args[known->look.fd]) : -1;
  own.tcp = false;
  own.ends = {};
  if (kind == CALL_DUP) find_doubled(own);
  if (own.fd >= 0 && !own.call.other) find_connection(own, own.fd);
  if (kind == CALL_SPLICE && !own.tcp) find_spliced(own);
  // What fails to read from a file is of no interest; a write may hit a limit.
  const bool reads = own.call.nr == SYS_read || own.call.nr == SYS_readv || own.call.nr == SYS_pread64;
  own.inside = kind != CALL_EXIT && !(reads && !own.tcp);
  own.exiting = kind == CALL_EXIT;
  if (own.exiting && program(own.process).started && !finished) put(sink, call_event(own.call, {}));
  if (own.call.nr == SYS_close || (kind == CALL_DUP && own.call.other)) program(own.process).connections.erase(own.fd);
  if (own.call.nr == SYS_execve || kind == CALL_SELECT) copy_memory(tid, own.call);
}

// From here on its own filter's answers would be missed.
static bool filters_itself(const raw_call& call) {
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
  if (known->look.kind != CALL_SELECT || result < 0) copy_memory(tid, call);
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
      call.queued_ns = call.start_queued_ns = -1;
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

}  // namespace lab::evidence
