// From a tap's small queues to a ring, while a transfer goes on: a thread makes the ring, since that waits; meanwhile
// and for a moment longer the queues are read as before; what came by both ways is told once.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "evidence/collectors/packet_ring.hpp"
#include "system/descriptor.hpp"

namespace lab::evidence {

class PacketGrowth {
 public:
  // `beside`: a socket of the tap. Where a ring can't be had the queues stay.
  PacketGrowth(int beside, bool incoming_only);
  ~PacketGrowth();
  PacketGrowth(const PacketGrowth&) = delete;
  PacketGrowth& operator=(const PacketGrowth&) = delete;

  // Before each reading: whether there is a ring, and whether the queues are still to be read.
  void turn();
  PacketRing* ring() { return phase_ == Phase::growing ? nullptr : ring_.get(); }
  bool queues() const { return phase_ < Phase::settling; }
  bool leaves_queues() const { return phase_ == Phase::settling; }  // for the first reading without them
  void leave(std::vector<sys::Descriptor> queues);                  // closes them, aside
  // Of a packet from the ring, or from a queue: whether it was seen the other way already.
  bool twin(const Captured& packet, bool from_ring);

 private:
  // Each but the first lasts for one reading. A packet may be on its way to the queues alone when the ring begins, and
  // its delivery end after the next reading.
  enum class Phase : std::uint8_t { growing, both, both_again, settling, settled };

  Phase phase_ = Phase::growing;
  std::unique_ptr<PacketRing> ring_;
  std::atomic<bool> made_ = false;
  using Stamps = std::unordered_multimap<std::string, std::int64_t>;  // by the packet's bytes
  Stamps from_queues_, from_ring_;                                    // whose twins may still come
  std::thread maker_;
};

}  // namespace lab::evidence
