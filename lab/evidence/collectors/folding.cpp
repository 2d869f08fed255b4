#include "evidence/collectors/folding.hpp"

#include <algorithm>

namespace lab::evidence {
namespace {

// Of each direction, before anything is folded.
constexpr std::uint32_t kKeep = 64;
// Sequence numbers tell how much was left out only within half of their range.
constexpr std::uint32_t kMostBytes = 1U << 30;

bool has(const Segment& segment, char flag) { return segment.flags.find(flag) != std::string::npos; }

// Sequence numbers wrap (RFC 1982).
bool before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

}  // namespace

bool Folding::is_plain(const Lane& lane, const Segment& segment) {
  if (segment.flags.find_first_not_of("PAEC") != std::string::npos || segment.window == 0) return false;
  const bool in_order = segment.seq == lane.next_seq;
  return segment.length ? in_order : in_order && !before(segment.ack, lane.last_ack);
}

void Folding::release(Lane& lane, const Deliver& deliver) {
  if (!lane.held) return;
  lane.told_seq = lane.held->seq + lane.held->length;
  deliver(lane.held_ns, std::move(*lane.held));
  lane.held.reset();
}

void Folding::put(std::int64_t t_ns, Segment&& segment, const Deliver& deliver) {
  auto& lane = lanes_[{segment.source, segment.target, segment.device, segment.outgoing}];
  const bool plain = lane.begun && is_plain(lane, segment);
  const auto end = segment.seq + segment.length + (has(segment, 'S') ? 1 : 0) + (has(segment, 'F') ? 1 : 0);
  if (!lane.begun || before(lane.next_seq, end)) lane.next_seq = end;
  lane.begun = true;
  lane.last_ack = segment.ack;

  if (!plain || lane.plain < kKeep) {
    if (plain) ++lane.plain;
    release(lane, deliver);
    lane.told_seq = end;
    deliver(t_ns, std::move(segment));
    return;
  }
  if (lane.held && end - lane.told_seq > kMostBytes) release(lane, deliver);
  if (lane.held) {
    segment.folded = lane.held->folded + 1;
    ++folded_;
  }
  lane.held = std::move(segment);
  lane.held_ns = t_ns;
}

void Folding::flush(const Deliver& deliver) {
  for (auto& [key, lane] : lanes_) release(lane, deliver);
}

}  // namespace lab::evidence
