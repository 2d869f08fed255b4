#include "firewall/ip_address.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace lab::firewall {

using scenario::Family;

namespace {
int number(Family family) { return family == Family::ipv4 ? AF_INET : AF_INET6; }
}  // namespace

std::string IpAddress::text() const {
  char room[INET6_ADDRSTRLEN] = "";
  inet_ntop(number(family), bytes.data(), room, sizeof room);
  return room;
}

std::optional<IpAddress> parse_address(Family family, const std::string& text) {
  IpAddress address{family, {}};
  if (inet_pton(number(family), text.c_str(), address.bytes.data()) != 1) return {};
  return address;
}

bool is_any(const IpAddress& address) {
  return std::all_of(address.bytes.begin(), address.bytes.end(), [](auto byte) { return byte == 0; });
}

bool is_loopback(const IpAddress& address) {
  if (address.family == Family::ipv4) return address.bytes[0] == 127;
  return address.bytes[15] == 1 &&
         std::all_of(address.bytes.begin(), address.bytes.end() - 1, [](auto byte) { return byte == 0; });
}

}  // namespace lab::firewall
