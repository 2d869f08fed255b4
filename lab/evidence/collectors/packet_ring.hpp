// A packet socket with a receive ring (TPACKET_V2): the kernel writes each packet's first bytes into shared memory, so
// that reading makes no system call and a bulk transfer's super-segments are not held. man packet;
// Documentation/networking/packet_mmap.rst; net/packet/af_packet.c.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "system/descriptor.hpp"

namespace lab::evidence {

class PacketRing {
 public:
  struct Packet {
    std::int64_t realtime_ns = 0;   // CLOCK_REALTIME at the device
    int device = 0;                 // index
    bool outgoing = false;
    std::string_view bytes;         // from the IP header on, as far as captured; valid during the call only
  };

  // Every device of the calling thread's network namespace. `incoming_only`: on loopback each packet passes twice.
  explicit PacketRing(bool incoming_only);
  // Closing a packet socket waits for an RCU grace period (8 to 16 ms): it is handed to the kernel's garbage collector.
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  int descriptor() const { return socket_.get(); }
  void drain(const std::function<void(const Packet&)>& each);
  std::uint64_t lost();             // dropped for want of room since the last call

 private:
  sys::Descriptor socket_;
  char* ring_ = nullptr;
  unsigned next_ = 0;               // frame
};

}  // namespace lab::evidence
