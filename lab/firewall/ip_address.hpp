// An address as rules compare it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "scenario/types.hpp"

namespace lab::firewall {

struct IpAddress {
  scenario::Family family = scenario::Family::ipv4;
  std::array<std::uint8_t, 16> bytes{};  // IPv4: the first four
  std::size_t size() const { return family == scenario::Family::ipv4 ? 4 : 16; }
  std::string text() const;  // as nft prints it: inet_ntop(3)
};

// Nothing for text that is no numeric address of the family.
std::optional<IpAddress> parse_address(scenario::Family family, const std::string& text);
// 127.0.0.0/8, ::1; 0.0.0.0, ::
bool is_loopback(const IpAddress& address);
bool is_any(const IpAddress& address);

}  // namespace lab::firewall
