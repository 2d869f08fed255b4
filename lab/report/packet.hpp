// Packets as bytes, from what the evidence kept of them.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/event.hpp"

namespace lab::report {

struct Packet {
  std::string bytes;         // from the IP header on, as far as it is known; "" where not even the family is
  std::uint32_t length = 0;  // of the whole packet as it was on the wire
};

// The frame where it was kept; else headers made from the fields, without TCP options and with a TCP checksum of 0
// (the payload that it would cover was not kept).
Packet packet_of(const evidence::Segment& segment);
Packet packet_of(const evidence::IcmpError& error);

}  // namespace lab::report
