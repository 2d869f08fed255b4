#include "evidence/collectors/packet.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace lab::evidence {
namespace {

using Parsed = std::optional<std::variant<Segment, IcmpError>>;

// Reads of network-order numbers that fail soft: a cut-off packet is no packet.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : bytes_(bytes) {}
  std::size_t size() const { return bytes_.size(); }
  bool has(std::size_t at, std::size_t n) const { return at <= size() && n <= size() - at; }
  std::uint8_t u8(std::size_t at) const { return static_cast<std::uint8_t>(bytes_[at]); }
  std::uint16_t u16(std::size_t at) const { return static_cast<std::uint16_t>(u8(at) << 8 | u8(at + 1)); }
  std::uint32_t u32(std::size_t at) const { return std::uint32_t{u16(at)} << 16 | u16(at + 2); }
  const char* data(std::size_t at) const { return bytes_.data() + at; }
  Bytes from(std::size_t at) const { return Bytes(bytes_.substr(std::min(at, size()))); }
  std::string_view view(std::size_t at, std::size_t most) const { return bytes_.substr(std::min(at, size()), most); }

 private:
  std::string_view bytes_;
};

struct Ip {
  int family = 0;
  std::uint8_t protocol = 0, ttl = 0;
  std::uint16_t id = 0;
  std::size_t header = 0;     // bytes
  std::uint32_t payload = 0;  // bytes behind the header, by the header's own account
  const char* source = nullptr;
  const char* target = nullptr;
};

std::optional<Ip> ipv4(const Bytes& packet) {
  if (!packet.has(0, 20)) return std::nullopt;
  const std::size_t header = (packet.u8(0) & 15U) * 4U;
  constexpr std::uint16_t offset_mask = 0x1fff;
  if (header < 20 || !packet.has(0, header) || (packet.u16(6) & offset_mask)) return std::nullopt;
  // A super-segment beyond 64 KiB says 0 (IPv4 BIG TCP, net/ipv4/af_inet.c).
  const std::uint32_t total = packet.u16(2) ? packet.u16(2) : static_cast<std::uint32_t>(packet.size());
  if (total < header) return std::nullopt;
  return Ip{.family = 4,
            .protocol = packet.u8(9),
            .ttl = packet.u8(8),
            .id = packet.u16(4),
            .header = header,
            .payload = total - static_cast<std::uint32_t>(header),
            .source = packet.data(12),
            .target = packet.data(16)};
}

// Extension headers that TCP on a test network meets: hop-by-hop (0), routing (43), destination options (60); a
// fragment header (44) only on its first fragment.
std::optional<Ip> ipv6(const Bytes& packet) {
  constexpr std::size_t fixed = 40;
  if (!packet.has(0, fixed)) return std::nullopt;
  Ip ip{.family = 6,
        .protocol = packet.u8(6),
        .ttl = packet.u8(7),
        .header = fixed,
        .payload = packet.u16(4),
        .source = packet.data(8),
        .target = packet.data(24)};
  if (!ip.payload) ip.payload = static_cast<std::uint32_t>(packet.size() - fixed);  // a jumbogram
  while (ip.protocol == 0 || ip.protocol == 43 || ip.protocol == 44 || ip.protocol == 60) {
    if (!packet.has(ip.header, 8)) return std::nullopt;
    const bool fragment = ip.protocol == 44;
    if (fragment && (packet.u16(ip.header + 2) & 0xfff8)) return std::nullopt;
    const std::size_t length = fragment ? 8 : (packet.u8(ip.header + 1) + std::size_t{1}) * 8;
    if (ip.payload < length) return std::nullopt;
    ip.protocol = packet.u8(ip.header);
    ip.header += length;
    ip.payload -= static_cast<std::uint32_t>(length);
  }
  return ip;
}

std::optional<Ip> ip_header(const Bytes& packet) {
  if (!packet.has(0, 1)) return std::nullopt;
  switch (packet.u8(0) >> 4) {
    case 4:
      return ipv4(packet);
    case 6:
      return ipv6(packet);
    default:
      return std::nullopt;
  }
}

void options(const Bytes& tcp, std::size_t end, Segment& segment) {
  constexpr std::uint8_t kEnd = 0, kNothing = 1, kMd5 = 19, kMptcp = 30;  // IANA's TCP option kinds
  for (std::size_t at = 20; at < end && tcp.has(at, 1);) {
    const auto kind = tcp.u8(at);
    if (kind == kEnd) return;
    if (kind == kNothing) {
      ++at;
      continue;
    }
    if (!tcp.has(at, 2) || tcp.u8(at + 1) < 2) return;
    segment.md5 |= kind == kMd5;
    segment.mptcp |= kind == kMptcp;
    at += tcp.u8(at + 1);
  }
}

std::string hex(std::string_view bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(2 * bytes.size(), '0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text[2 * i] = digits[byte >> 4];
    text[2 * i + 1] = digits[byte & 15];
  }
  return text;
}

Parsed segment(const Ip& ip, const Bytes& tcp) {
  if (!tcp.has(0, 20)) return std::nullopt;
  const std::size_t header = (tcp.u8(12) >> 4) * std::size_t{4};
  if (header < 20 || header > ip.payload) return std::nullopt;
  Segment segment{.source = make_address(ip.family, ip.source, tcp.u16(0)),
                  .target = make_address(ip.family, ip.target, tcp.u16(2)),
                  .flags = flags_text(tcp.u8(13)),
                  .seq = tcp.u32(4),
                  .ack = tcp.u32(8),
                  .length = ip.payload - static_cast<std::uint32_t>(header),
                  .window = tcp.u16(14),
                  .ip_id = ip.id,
                  .ttl = ip.ttl};
  options(tcp, header, segment);
  constexpr std::size_t kHead = 16;
  segment.head = hex(tcp.view(header, std::min<std::size_t>(kHead, segment.length)));
  return segment;
}

// "Fragmentation needed" (type 3, code 4) has its MTU in the last two bytes of the header, "packet too big" (type 2 of
// ICMPv6) in all four (RFC 1191, RFC 4443).
std::uint32_t mtu_of(int family, const Bytes& icmp) {
  if (family == 6) return icmp.u8(0) == 2 ? icmp.u32(4) : 0;
  return icmp.u8(0) == 3 && icmp.u8(1) == 4 ? icmp.u16(6) : 0;
}

Parsed icmp_error(const Ip& ip, const Bytes& icmp) {
  constexpr std::size_t kHeader = 8;
  if (!icmp.has(0, kHeader)) return std::nullopt;
  const auto quoted = icmp.from(kHeader);
  const auto inner = ip_header(quoted);
  if (!inner || inner->protocol != IPPROTO_TCP || !quoted.has(inner->header, 8)) return std::nullopt;
  return IcmpError{.source = make_address(ip.family, ip.source, 0),
                   .target = make_address(ip.family, ip.target, 0),
                   .type = icmp.u8(0),
                   .code = icmp.u8(1),
                   .mtu = mtu_of(ip.family, icmp),
                   .quoted_source = make_address(inner->family, inner->source, quoted.u16(inner->header)),
                   .quoted_target = make_address(inner->family, inner->target, quoted.u16(inner->header + 2)),
                   .quoted_seq = quoted.u32(inner->header + 4)};
}

}  // namespace

std::string flags_text(std::uint8_t flags) {
  struct Flag {
    char letter;
    std::uint8_t bit;
  };
  static constexpr Flag all[] = {{'S', 2}, {'F', 1}, {'R', 4}, {'P', 8}, {'A', 16}, {'U', 32}, {'E', 64}, {'C', 128}};
  std::string text;
  for (const auto& flag : all)
    if (flags & flag.bit) text += flag.letter;
  return text;
}

Parsed read_packet(std::string_view packet) {
  const Bytes bytes(packet);
  const auto ip = ip_header(bytes);
  if (!ip) return std::nullopt;
  switch (ip->protocol) {
    case IPPROTO_TCP:
      return segment(*ip, bytes.from(ip->header));
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return icmp_error(*ip, bytes.from(ip->header));
    default:
      return std::nullopt;
  }
}

}  // namespace lab::evidence
