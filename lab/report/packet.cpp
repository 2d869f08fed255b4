#include "report/packet.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace lab::report {
namespace {

using evidence::Address;

constexpr std::uint8_t kTcp = 6, kIcmp = 1, kIcmp6 = 58;
constexpr std::uint32_t kHeader4 = 20, kHeader6 = 40, kTcpHeader = 20;

// Network byte order.
class Wire {
 public:
  Wire& u8(std::uint32_t v) { return put(v, 1); }
  Wire& u16(std::uint32_t v) { return put(v, 2); }
  Wire& u32(std::uint32_t v) { return put(v, 4); }
  Wire& ip(const Address& a) {
    for (std::size_t i = 0; i < (a.family == 4 ? 4U : 16U); ++i) text += static_cast<char>(a.ip[i]);
    return *this;
  }
  Wire& raw(std::string_view data) {
    text += data;
    return *this;
  }
  std::string text;

 private:
  Wire& put(std::uint32_t v, int bytes) {
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(v >> (8 * i));
    return *this;
  }
};

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    const int high = digit(hex[i]), low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::uint32_t byte(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

// RFC 1071.
std::uint32_t checksum(std::string_view text) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < text.size(); ++i) sum += byte(text, i) << (i % 2 == 0 ? 8U : 0U);
  while (sum >> 16U) sum = (sum & 0xFFFFU) + (sum >> 16U);
  return ~sum & 0xFFFFU;
}

// A length of 0 in the header is a super-segment's (BIG TCP): what was captured is all that is known.
Packet kept(std::string_view frame_hex) {
  Packet packet{.bytes = from_hex(frame_hex), .length = 0};
  const auto& b = packet.bytes;
  const bool v6 = !b.empty() && byte(b, 0) >> 4U == 6;
  if (b.size() >= (v6 ? kHeader6 : kHeader4)) {
    const std::size_t at = v6 ? 4 : 2;
    const auto said = byte(b, at) << 8U | byte(b, at + 1);
    packet.length = said == 0 ? 0 : said + (v6 ? kHeader6 : 0);
  }
  packet.length = std::max(packet.length, static_cast<std::uint32_t>(b.size()));
  return packet;
}

std::string ip_header(const Address& from, const Address& to, std::uint8_t protocol, std::uint32_t ttl,
                      std::uint32_t id, std::uint32_t payload) {
  if (from.family == 6) {
    return Wire().u32(0x60000000).u16(std::min(payload, 0xFFFFU)).u8(protocol).u8(ttl).ip(from).ip(to).text;
  }
  const auto total = std::min(payload + kHeader4, 0xFFFFU);
  const auto head = [&](std::uint32_t sum) {
    return Wire().u16(0x4500).u16(total).u16(id).u16(0x4000).u8(ttl).u8(protocol).u16(sum).ip(from).ip(to).text;
  };
  return head(checksum(head(0)));
}

std::uint32_t flag_bits(std::string_view letters) {
  constexpr std::string_view order = "FSRPAUEC";  // bit 0 upwards, RFC 9293 3.1
  std::uint32_t bits = 0;
  for (const char c : letters) {
    if (const auto bit = order.find(c); bit != order.npos) bits |= 1U << bit;
  }
  return bits;
}

bool known(const Address& a, const Address& b) { return a.known() && a.family == b.family; }

}  // namespace

Packet packet_of(const evidence::Segment& s) {
  if (!s.frame.empty()) return kept(s.frame);
  if (!known(s.source, s.target)) return {};
  auto head = from_hex(s.head);
  head.resize(std::min<std::size_t>(head.size(), s.length));
  const auto tcp = Wire()
                       .u16(s.source.port)
                       .u16(s.target.port)
                       .u32(s.seq)
                       .u32(s.ack)
                       .u8(kTcpHeader / 4 << 4U)
                       .u8(flag_bits(s.flags))
                       .u16(std::min(s.window, 0xFFFFU))
                       .u32(0)
                       .raw(head);
  const auto ip = ip_header(s.source, s.target, kTcp, s.ttl, s.ip_id, kTcpHeader + s.length);
  return {.bytes = ip + tcp.text, .length = static_cast<std::uint32_t>(ip.size()) + kTcpHeader + s.length};
}

Packet packet_of(const evidence::IcmpError& e) {
  if (!e.frame.empty()) return kept(e.frame);
  if (!known(e.source, e.target) || !known(e.quoted_source, e.quoted_target)) return {};
  constexpr std::uint32_t quoted_tcp = 8;  // ports and sequence number, RFC 792
  const auto quoted = ip_header(e.quoted_source, e.quoted_target, kTcp, 64, 0, kTcpHeader) +
                      Wire().u16(e.quoted_source.port).u16(e.quoted_target.port).u32(e.quoted_seq).text;
  const bool v6 = e.source.family == 6;
  const auto icmp = [&](std::uint32_t sum) {
    return Wire().u8(e.type).u8(e.code).u16(sum).u32(e.mtu).raw(quoted).text;
  };
  const auto size = static_cast<std::uint32_t>(8 + (v6 ? kHeader6 : kHeader4) + quoted_tcp);
  std::string pseudo;  // ICMPv6's checksum covers the addresses too, RFC 4443 2.3
  if (v6) pseudo = Wire().ip(e.source).ip(e.target).u32(size).u32(kIcmp6).text;
  const auto body = icmp(checksum(pseudo + icmp(0)));
  const auto ip = ip_header(e.source, e.target, v6 ? kIcmp6 : kIcmp, 64, 0, size);
  return {.bytes = ip + body, .length = static_cast<std::uint32_t>(ip.size() + body.size())};
}

}  // namespace lab::report
