// Segments that no end's TCP built. man 7 raw.
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cstring>
#include <span>

#include "actors/operator_kernel.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"

namespace lab::actors {
namespace {

std::uint32_t sum(std::span<const std::uint8_t> bytes, std::uint32_t total = 0) {
  for (std::size_t i = 0; i < bytes.size(); ++i) total += i % 2 ? bytes[i] : static_cast<std::uint32_t>(bytes[i] << 8);
  return total;
}

std::uint16_t folded(std::uint32_t total) {
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return htons(static_cast<std::uint16_t>(~total & 0xffff));
}

std::span<const std::uint8_t> bytes_of(const auto& value) {
  return {reinterpret_cast<const std::uint8_t*>(&value), sizeof value};
}

std::uint16_t port_of(const SocketAddress& address) {
  return address.family() == AF_INET ? reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port
                                     : reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port;
}

std::span<const std::uint8_t> ip_of(const SocketAddress& address) {
  if (address.family() == AF_INET) return bytes_of(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr);
  return bytes_of(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr);
}

// RFC 9293, 3.1: over the addresses, the protocol and the length as well.
tcphdr tcp_of(const Forged& segment) {
  tcphdr tcp{};
  tcp.th_sport = port_of(segment.from);
  tcp.th_dport = port_of(segment.to);
  tcp.th_seq = htonl(segment.sequence);
  tcp.th_ack = htonl(segment.acknowledged);
  tcp.th_off = sizeof tcp / 4;
  tcp.th_flags = segment.flags;
  tcp.th_win = htons(segment.window);
  const auto pseudo = sum(ip_of(segment.to), sum(ip_of(segment.from))) + IPPROTO_TCP + sizeof tcp;
  tcp.th_sum = folded(sum(bytes_of(tcp), static_cast<std::uint32_t>(pseudo)));
  return tcp;
}

// The kernel fills in the checksum, the id and the length of an IPv4 header (man 7 raw, IP_HDRINCL).
ip header4(const Forged& segment) {
  ip header{};
  header.ip_v = 4;
  header.ip_hl = sizeof header / 4;
  header.ip_ttl = IPDEFTTL;
  header.ip_p = IPPROTO_TCP;
  std::memcpy(&header.ip_src, ip_of(segment.from).data(), sizeof header.ip_src);
  std::memcpy(&header.ip_dst, ip_of(segment.to).data(), sizeof header.ip_dst);
  return header;
}

ip6_hdr header6(const Forged& segment) {
  ip6_hdr header{};
  header.ip6_flow = htonl(6U << 28);
  header.ip6_plen = htons(sizeof(tcphdr));
  header.ip6_nxt = IPPROTO_TCP;
  header.ip6_hlim = IPDEFTTL;
  std::memcpy(&header.ip6_src, ip_of(segment.from).data(), sizeof header.ip6_src);
  std::memcpy(&header.ip6_dst, ip_of(segment.to).data(), sizeof header.ip6_dst);
  return header;
}

void send_packet(const auto& header, const tcphdr& tcp, SocketAddress to) {
  // A raw IPv6 socket takes the port for a protocol number (net/ipv6/raw.c).
  if (to.family() == AF_INET6) reinterpret_cast<sockaddr_in6*>(&to.storage)->sin6_port = 0;
  const sys::Descriptor raw(
      sys::check(::socket(to.family(), SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW), "raw socket for a forged segment"));
  std::uint8_t packet[sizeof header + sizeof tcp];
  std::memcpy(packet, &header, sizeof header);
  std::memcpy(packet + sizeof header, &tcp, sizeof tcp);
  sys::check(::sendto(raw.get(), packet, sizeof packet, 0, to.get(), to.length), "forged segment");
}

}  // namespace

void inject(const Forged& segment) {
  const auto tcp = tcp_of(segment);
  if (segment.to.family() == AF_INET)
    send_packet(header4(segment), tcp, segment.to);
  else
    send_packet(header6(segment), tcp, segment.to);
}

}  // namespace lab::actors
