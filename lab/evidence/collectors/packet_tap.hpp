// Packet sockets on every device of a network namespace. man packet; net/packet/af_packet.c.
//
// Without a receive ring: making one waits for an RCU grace period, 10 to 30 ms. A plain socket's queue is bounded by
// net.core.rmem_max, some 300 small packets, so there are several in a fan-out group that rolls over: the kernel fills
// one queue to three quarters, then the next. A reader that waits for any but the one being filled sleeps through a
// short connection, and is woken in time by a long one. What proves to be a bulk transfer gets a ring after all.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "evidence/collectors/packet_growth.hpp"
#include "system/descriptor.hpp"

namespace lab::evidence {

class PacketTap {
 public:
  struct Packet {
    std::int64_t realtime_ns = 0;  // CLOCK_REALTIME at the device
    int device = 0;                // index
    bool outgoing = false;
    std::string_view bytes;  // from the IP header on, as far as captured; valid during the call only
  };

  // Every device of the calling thread's network namespace. `incoming_only`: on loopback each packet passes twice.
  // Closing a packet socket waits for a grace period. `hurry`: that is left to the kernel (system/parting.hpp), else
  // done by the destructor.
  PacketTap(bool incoming_only, bool hurry);
  ~PacketTap();
  PacketTap(const PacketTap&) = delete;
  PacketTap& operator=(const PacketTap&) = delete;

  // Readable when a queue has filled up.
  std::vector<int> descriptors() const;
  // Every packet stamped until now, in the order of their stamps.
  void drain(const std::function<void(const Packet&)>& each);
  std::uint64_t lost();  // dropped for want of room since the last call

 private:
  struct Reader;
  void hold(const Captured& packet, bool from_ring);
  void read(std::size_t socket, std::int64_t until_ns);
  void read_queues(std::int64_t until_ns);
  void read_ring();

  bool incoming_only_, hurry_;
  std::vector<sys::Descriptor> sockets_;
  std::size_t filling_ = 0;     // the socket with the latest packet
  std::vector<Captured> held_;  // read and not delivered
  std::unique_ptr<Reader> reader_;
  std::unique_ptr<PacketGrowth> growth_;
  sys::Descriptor timer_;  // of the ring
  std::uint64_t lost_ = 0;
};

}  // namespace lab::evidence
