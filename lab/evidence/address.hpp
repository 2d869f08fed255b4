// An end of a TCP connection.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::evidence {

struct Address {
  std::uint8_t family = 0;            // 4, 6, or 0: not known
  std::array<std::uint8_t, 16> ip{};  // network order; IPv4 in the first four
  std::uint16_t port = 0;             // host order

  bool known() const { return family != 0; }
  auto operator<=>(const Address&) const = default;
};

// "127.0.0.1:8080", "[::1]:8080", "" for an unknown one. parse_address is its inverse.
// An IPv4-mapped IPv6 address is the IPv4 address: one connection has one name.
std::string to_string(const Address& address);
std::optional<Address> parse_address(std::string_view text);

// `ip` points at 4 (family 4) or 16 (family 6) bytes in network order; port in host order.
Address make_address(int family, const void* ip, std::uint16_t port);

}  // namespace lab::evidence
