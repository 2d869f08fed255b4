#include "evidence/collectors/packet_growth.hpp"

#include <algorithm>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "evidence/collectors/packet_socket.hpp"

namespace lab::evidence {
namespace {

constexpr std::int64_t kApart = 10'000'000;  // ns

}  // namespace

PacketGrowth::PacketGrowth(int beside, bool incoming_only) {
  const auto make = [this, beside, incoming_only] {
    try {
      ring_ = std::make_unique<PacketRing>(beside, incoming_only);
    } catch (const std::exception&) {  // the queues go on, and say what they lose
    }
    made_.store(true, std::memory_order_release);
  };
  try {
    maker_ = std::thread(make);
  } catch (const std::system_error&) {  // no more threads
    made_ = true;
  }
}

PacketGrowth::~PacketGrowth() {
  if (maker_.joinable()) maker_.join();
}

// Closing a packet socket waits for a grace period each. Until then it would still be asked about every packet.
void PacketGrowth::leave(std::vector<sys::Descriptor> queues) {
  for (const auto& queue : queues) receive_nothing(queue.get());
  try {
    maker_ = std::thread([left = std::move(queues)]() mutable { left.clear(); });
  } catch (const std::system_error&) {  // no more threads: they are closed here, and that takes its time
  }
}

void PacketGrowth::turn() {
  if (phase_ == Phase::settled) return;
  if (phase_ == Phase::growing) {
    if (!made_.load(std::memory_order_acquire)) return;
    if (maker_.joinable()) maker_.join();
    if (!ring_) return from_queues_.clear();
  }
  phase_ = static_cast<Phase>(static_cast<int>(phase_) + 1);
  if (phase_ != Phase::settled) return;
  from_queues_.clear();
  from_ring_.clear();
}

// A packet that carries the time when it may leave is stamped by each socket for itself (skb_clear_delivery_time,
// include/linux/skbuff.h): twins are a microsecond apart, more where the CPU was taken away in between.
bool PacketGrowth::twin(const Captured& packet, bool from_ring) {
  if (phase_ == Phase::settled) return false;
  auto& others = from_ring ? from_queues_ : from_ring_;
  const auto name = packet.to_bytes();
  const auto [begin, end] = others.equal_range(name);
  const auto found =
      std::find_if(begin, end, [&](const auto& one) { return std::abs(one.second - packet.realtime_ns) < kApart; });
  if (found == end) {
    (from_ring ? from_ring_ : from_queues_).emplace(name, packet.realtime_ns);
    return false;
  }
  others.erase(found);
  return true;
}

}  // namespace lab::evidence
