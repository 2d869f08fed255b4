#include "evidence/collectors/syscalls_repeats.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace lab::evidence {

bool Repeats::fold(raw_call& call, int fd, int outcome, const Ends& ends) {
  const auto now = call.header.t_ns;
  const Key key{ends, call.pid, outcome == EBADF ? -1 : fd, outcome, call.nr};
  const auto [found, fresh] = seen_.try_emplace(key);
  auto& state = found->second.state;
  if (fresh) {
    state.refilled_ns = now;
    state.tokens = RAW_BURST - 1;
    return false;
  }
  if (const auto refill = (now - state.refilled_ns) / RAW_REFILL_NS; refill) {
    state.refilled_ns = now;
    state.tokens = static_cast<__u32>(std::min<std::uint64_t>(RAW_BURST, state.tokens + refill));
  }
  if (state.tokens) {
    --state.tokens;
    call.folded = std::exchange(state.folded, 0);
    call.folded_bytes = std::exchange(state.folded_bytes, 0);
    return false;
  }
  ++state.folded;
  ++left_out_;
  if (call.result > 0) state.folded_bytes += static_cast<__u64>(call.result);
  state.start_ns = call.start_ns;
  state.end_ns = now;
  state.result = call.result;
  state.pid = call.pid;
  state.tid = call.tid;
  state.other = call.other;
  found->second.ends = ends;
  return true;
}

Repeats::Rest Repeats::rest() {
  Rest rest;
  rest.left_out = left_out_;
  for (const auto& [key, seen] : seen_) {
    if (!seen.state.folded) continue;
    const raw_repeat_key raw{.socket = 0, .tgid = 0, .fd = key.fd, .nr = key.nr, .outcome = key.outcome};
    rest.events.push_back(repeat_event(raw, seen.state, seen.ends));
  }
  seen_.clear();
  return rest;
}

}  // namespace lab::evidence
