// A packet socket with a receive ring, for what comes in bulk: the kernel writes the first bytes of a packet into
// shared memory and clones nothing, a transfer runs at nearly its unwatched rate. Making one waits for a grace period,
// 10 to 30 ms, which a short run does not have. Documentation/networking/packet_mmap.rst in the kernel's sources.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "evidence/collectors/packet_socket.hpp"

namespace lab::evidence {

class PacketRing {
 public:
  // In the network namespace of the socket `beside`, which the calling thread enters for good. Receives from here on.
  // Throws KernelError.
  PacketRing(int beside, bool incoming_only);
  ~PacketRing();
  PacketRing(const PacketRing&) = delete;
  PacketRing& operator=(const PacketRing&) = delete;

  // Takes what is there, in the order of arrival.
  void read(const std::function<void(const Captured&)>& each);
  std::uint64_t lost();  // dropped for want of room since the last call
  // Unmapped, for whoever closes it: that waits for a grace period too.
  sys::Descriptor release();

 private:
  void unmap();

  sys::Descriptor socket_;
  char* frames_ = nullptr;
  std::size_t next_ = 0;
};

// Since it was last asked.
std::uint64_t lost_by(int packet_socket);

}  // namespace lab::evidence
