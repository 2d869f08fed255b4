#include "evidence/collectors/syscalls_decode.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "evidence/collectors/syscalls_judge.h"
#include "evidence/collectors/syscalls_text.hpp"

namespace lab::evidence {
namespace {

int error_of(const raw_call& raw) {
  return raw.nr == SYS_brk ? ENOMEM : call_error(raw.result);  // only brk's failures are handed over
}

bool asks_for_reset(const raw_call& raw) {
  if (raw.nr == SYS_setsockopt && raw.args[1] == SOL_SOCKET && raw.args[2] == SO_LINGER && raw.data_length >= 8) {
    std::int32_t linger[2];
    std::memcpy(linger, raw.data, sizeof linger);
    return linger[0] != 0 && linger[1] == 0;
  }
  std::uint16_t family = AF_UNIX;
  if (raw.nr == SYS_connect && raw.data_length >= sizeof family) std::memcpy(&family, raw.data, sizeof family);
  return family == AF_UNSPEC;
}

// The other thing a call is about: a path, a program, a signal, a child.
std::string target_of(const KnownCall& known, const raw_call& raw, int error) {
  const std::string_view format = known.format;
  if (known.look.kind == CALL_FORK) return error || !raw.returned ? "" : std::to_string(raw.result);
  if (const auto at = format.find('g'); at != format.npos) return argument_text('g', static_cast<unsigned>(at), raw);
  return format.find('p') != format.npos ? path_of(raw) : "";
}

int descriptor_of(const KnownCall& known, const raw_call& raw, int error) {
  const bool makes = known.look.kind == CALL_ACCEPT || known.look.kind == CALL_SOCKET;
  if (makes && !error && raw.returned) return static_cast<int>(raw.result);
  if (raw.other) return static_cast<int>(raw.args[known.look.kind == CALL_DUP ? 1 : 0]);
  return known.look.fd == RAW_NONE ? -1 : static_cast<int>(raw.args[known.look.fd]);
}

std::string folded_text(std::uint64_t calls, std::uint64_t bytes) {
  if (!calls) return "";
  return bytes ? fmt::format(" [{} more like it, {} bytes]", calls, bytes) : fmt::format(" [{} more like it]", calls);
}

}  // namespace

std::string call_text(const KnownCall& known, const raw_call& raw) {
  std::string out;
  for (unsigned i = 0; known.format[i] && i < 6; ++i) {
    const auto one = argument_text(known.format[i], i, raw);
    if (!one.empty()) out += (out.empty() ? "" : ", ") + one;
  }
  return out;
}

Event call_event(const raw_call& raw, const Ends& ends) {
  Call call;
  const KnownCall* known = known_call(raw.nr);
  const int error = raw.returned ? error_of(raw) : 0;
  call.pid = raw.pid;
  call.tid = raw.tid;
  call.error = error;
  call.result = error || !raw.returned ? 0 : raw.result;
  call.returned = raw.returned;
  call.start_ns = static_cast<std::int64_t>(raw.start_ns ? raw.start_ns : raw.header.t_ns);
  // A task is followed from its exec on: of that call the entry is never seen.
  call.began = raw.start_ns || !raw.returned || !error;
  call.queued_ns = raw.queued_ns;
  call.start_queued_ns = raw.start_queued_ns;
  call.local = ends.local;
  call.peer = ends.peer;
  if (known) {
    call.name = known->name;
    call.args = call_text(*known, raw) + folded_text(raw.folded, raw.folded_bytes);
    call.fd = descriptor_of(*known, raw, error);
    call.target = target_of(*known, raw, error);
    call.linger_reset = !error && asks_for_reset(raw);
    // A socket that found no way to its peer has none: what was asked for says where it meant to go.
    if (raw.nr == SYS_connect && error && ends.tcp && !call.peer.port)
      call.peer = socket_address(raw.data, raw.data_length);
  }
  return {.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = call};
}

Event filter_event(const raw_call& raw, const Ends& ends) {
  FilterAct act;
  const KnownCall* known = known_call(raw.nr);
  act.pid = raw.pid;
  act.tid = raw.tid;
  act.call = known ? known->name : std::to_string(raw.nr);
  act.action = "kill-thread";
  act.local = ends.local;
  act.peer = ends.peer;
  if (known) {
    act.args = call_text(*known, raw);
    act.fd = known->look.fd == RAW_NONE ? -1 : static_cast<int>(raw.args[known->look.fd]);
  }
  return {.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = act};
}

Event repeat_event(const raw_repeat_key& key, const raw_repeat& value, const Ends& ends) {
  Call call;
  const KnownCall* known = known_call(key.nr);
  call.name = known ? known->name : std::to_string(key.nr);
  call.pid = value.pid;
  call.tid = value.tid;
  call.error = key.outcome > 0 ? key.outcome : 0;
  call.result = call.error ? 0 : value.result;
  call.start_ns = static_cast<std::int64_t>(value.start_ns);
  call.fd = key.fd;
  call.local = ends.local;
  call.peer = ends.peer;
  // Threads count into one value without a lock, and it may be read meanwhile.
  const auto last =
      std::min<std::uint64_t>(value.result > 0 ? static_cast<std::uint64_t>(value.result) : 0, value.folded_bytes);
  // As in the call's own text what is read from comes first; the other one may differ from call to call.
  const bool source = known && known->look.kind == CALL_SPLICE && value.other;
  call.args = (key.fd < 0 ? "" : std::to_string(key.fd)) + (source ? ", ?" : "") +
              folded_text(value.folded - 1, value.folded_bytes - last);
  return {.t_ns = static_cast<std::int64_t>(value.end_ns), .what = call};
}

}  // namespace lab::evidence
