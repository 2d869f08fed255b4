#include "evidence/address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace lab::evidence {
namespace {

// ::ffff:0:0/96, RFC 4291 section 2.5.5.2.
constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool is_mapped(const std::uint8_t* ip) { return std::equal(mapped_prefix.begin(), mapped_prefix.end(), ip); }

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

Address make_address(int family, const void* ip, std::uint16_t port) {
  Address address;
  const auto* bytes = static_cast<const std::uint8_t*>(ip);
  if (family == 6 && is_mapped(bytes)) {
    family = 4;
    bytes += mapped_prefix.size();
  }
  if (family != 4 && family != 6) return address;
  address.family = static_cast<std::uint8_t>(family);
  address.port = port;
  std::copy_n(bytes, family == 4 ? 4 : 16, address.ip.begin());
  return address;
}

std::string to_string(const Address& given) {
  const Address address = given.family == 6 ? make_address(6, given.ip.data(), given.port) : given;
  if (address.family != 4 && address.family != 6) return {};
  char text[INET6_ADDRSTRLEN + 10];
  char* out = text;
  if (address.family == 6) *out++ = '[';
  ::inet_ntop(address.family == 4 ? AF_INET : AF_INET6, address.ip.data(), out, INET6_ADDRSTRLEN);
  out += std::strlen(out);
  if (address.family == 6) *out++ = ']';
  *out++ = ':';
  out = std::to_chars(out, text + sizeof text, address.port).ptr;
  return std::string(text, out);
}

std::optional<Address> parse_address(std::string_view text) {
  if (text.empty()) return Address{};
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const auto port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  auto host = text.substr(0, colon);
  const bool six = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (six) host = host.substr(1, host.size() - 2);
  std::uint8_t ip[16];
  if (::inet_pton(six ? AF_INET6 : AF_INET, std::string(host).c_str(), ip) != 1) return std::nullopt;
  return make_address(six ? 6 : 4, ip, *port);
}

}  // namespace lab::evidence
