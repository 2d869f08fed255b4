// A packet socket as the capture uses it: every device of a network namespace, TCP and ICMP errors, cut short.
// man packet; net/packet/af_packet.c.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "system/descriptor.hpp"

namespace lab::evidence {

// IPv6, TCP with every option and the first bytes of the payload fit.
constexpr std::size_t kSnap = 176;

struct Captured {
  std::int64_t realtime_ns = 0;  // CLOCK_REALTIME at the device
  int device = 0;                // index
  bool outgoing = false;
  std::size_t length = 0;
  std::array<char, kSnap> bytes;  // from the IP header on
  std::string to_bytes() const;   // and where it was seen
};

// In the calling thread's network namespace. Receives nothing until receive_everywhere(). The kernel stamps
// each packet. All throw KernelError.
sys::Descriptor open_packet_socket(bool incoming_only);
void receive_everywhere(int socket);
void receive_nothing(int socket);
void set(int socket, int level, int option, int value, const char* what);

}  // namespace lab::evidence
