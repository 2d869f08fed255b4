// From a packet's bytes to what the timeline keeps of it. Pure: bytes from anywhere, nothing trusted.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include "evidence/event.hpp"

namespace lab::evidence {

// `packet` starts at its IP header and may be cut off behind the TCP header; the payload's length comes from the IP
// header. Nothing for what is neither a TCP segment nor an ICMP error about one, and for fragments behind the first.
std::optional<std::variant<Segment, IcmpError>> read_packet(std::string_view packet);

// Letters for the TCP header's flag byte, in the order "SFRPAUEC".
std::string flags_text(std::uint8_t flags);

}  // namespace lab::evidence
