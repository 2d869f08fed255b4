#include "wire.hpp"

// clang-format off
#include <netinet/in.h>
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/tcp.h>
// clang-format on
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "system/error.hpp"

namespace lab::test {

using scenario::Family;

namespace {

std::uint16_t be16(const unsigned char* at) { return static_cast<std::uint16_t>(at[0] << 8 | at[1]); }

struct Peer {
  sockaddr_storage storage{};
  socklen_t size = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Peer peer(Family family, std::uint16_t port, const std::string& host = "") {
  Peer to;
  if (family == Family::ipv4) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(to.storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (!host.empty()) inet_pton(AF_INET, host.c_str(), &v4.sin_addr);
    to.size = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(to.storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    v6.sin6_addr = in6addr_loopback;
    if (!host.empty()) inet_pton(AF_INET6, host.c_str(), &v6.sin6_addr);
    to.size = sizeof v6;
  }
  return to;
}

sys::Descriptor stream(Family family) {
  return sys::Descriptor(
      sys::check(::socket(family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
}

void set(const sys::Descriptor& socket, int level, int option, int value) {
  sys::check(::setsockopt(socket.get(), level, option, &value, sizeof value), "setsockopt");
}

// The IP header's length and the protocol behind it; no extension headers come up here.
Seen parse(const unsigned char* packet, std::size_t length, std::uint16_t port, bool& wanted) {
  const bool v4 = packet[0] >> 4 == 4;
  const std::size_t header = v4 ? (packet[0] & 15u) * 4u : 40;
  const auto protocol = packet[v4 ? 9 : 6];
  const auto* at = packet + header;
  Seen seen;
  seen.length = static_cast<std::uint32_t>(length);
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
    seen.icmp = true;
    seen.type = at[0];
    seen.code = at[1];
    wanted = protocol == IPPROTO_ICMP || seen.type < 128;
    return seen;
  }
  wanted = protocol == IPPROTO_TCP && (be16(at) == port || be16(at + 2) == port);
  if (!wanted) return seen;
  seen.to_server = be16(at + 2) == port;
  seen.client_port = seen.to_server ? be16(at) : be16(at + 2);
  seen.flags = at[13] & 0x3f;
  const std::size_t data = header + (at[12] >> 4) * 4u;
  seen.payload.assign(reinterpret_cast<const char*>(packet + data), length - data);
  return seen;
}

std::uint16_t checksum(const std::string& data) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < data.size(); i += 2)
    sum += be16(reinterpret_cast<const unsigned char*>(data.data()) + i);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

}  // namespace

Wire::Wire()
    : socket_(sys::check(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)),
                         "packet socket")) {
  set(socket_, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  set(socket_, SOL_SOCKET, SO_RCVBUF, 1 << 20);
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_protocol = htons(ETH_P_ALL);
  link.sll_ifindex = static_cast<int>(sys::check(if_nametoindex("lo"), "lo"));
  sys::check(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&link), sizeof link), "bind to lo");
}

std::vector<Seen> Wire::take(std::uint16_t port) {
  std::vector<Seen> all;
  std::array<unsigned char, 70000> room;
  while (true) {
    const auto length = ::recv(socket_.get(), room.data(), room.size(), 0);
    if (length == -1 && errno == EAGAIN) return all;
    sys::check(length, "receive from the packet socket");
    bool wanted = false;
    auto seen = parse(room.data(), static_cast<std::size_t>(length), port, wanted);
    if (wanted) all.push_back(std::move(seen));
  }
}

std::uint64_t Wire::lost() const {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  sys::check(::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &statistics, &size), "packet statistics");
  return statistics.tp_drops;
}

Server::Server(Family family, std::uint16_t port, const char* host) : socket_(stream(family)) {
  set(socket_, SOL_SOCKET, SO_REUSEADDR, 1);
  auto at = peer(family, port, host);
  sys::check(::bind(socket_.get(), at.get(), at.size), "bind");
  sys::check(::listen(socket_.get(), 64), "listen");
}

sys::Descriptor Server::accept() {
  sys::Descriptor made(sys::check(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept"));
  set(made, IPPROTO_TCP, TCP_NODELAY, 1);
  return made;
}

sys::Descriptor dial(Family family, std::uint16_t port, const SocketOptions& options) {
  auto made = stream(family);
  if (options.mark) set(made, SOL_SOCKET, SO_MARK, static_cast<int>(options.mark));
  // tcp_rcv_synsent_state_process: an ACK is put off where the socket defers or is in ping-pong mode.
  if (options.lazy_ack) set(made, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1);
  if (options.from) {
    set(made, SOL_SOCKET, SO_REUSEADDR, 1);
    auto own = peer(family, options.from, options.host);
    sys::check(::bind(made.get(), own.get(), own.size), "bind");
  }
  auto to = peer(family, port, options.host);
  sys::check(::connect(made.get(), to.get(), to.size), "connect");
  set(made, IPPROTO_TCP, TCP_NODELAY, 1);
  return made;
}

void say(const sys::Descriptor& socket, const std::string& text) {
  const auto sent = sys::check(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL), "send");
  if (static_cast<std::size_t>(sent) != text.size()) throw sys::LabError("send: a part only");
}

std::string hear(const sys::Descriptor& socket, std::size_t size) {
  std::string text(size, '\0');
  const auto got = sys::check(::recv(socket.get(), text.data(), size, MSG_WAITALL), "recv");
  text.resize(static_cast<std::size_t>(got));
  return text;
}

std::string peek(const sys::Descriptor& socket) {
  std::array<char, 4096> room;
  const auto got = ::recv(socket.get(), room.data(), room.size(), MSG_DONTWAIT | MSG_PEEK);
  if (got == -1 && errno == EAGAIN) return "";
  return std::string(room.data(), static_cast<std::size_t>(sys::check(got, "peek")));
}

std::uint16_t local_port(const sys::Descriptor& socket) {
  sockaddr_storage at{};
  socklen_t size = sizeof at;
  sys::check(::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&at), &size), "getsockname");
  return ntohs(reinterpret_cast<const sockaddr_in&>(at).sin_port);  // sin6_port is at the same place
}

void abort_when_closed(const sys::Descriptor& socket) {
  const linger at_once{1, 0};
  sys::check(::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), "SO_LINGER");
}

int read_error(const sys::Descriptor& socket) {
  char byte = 0;
  return ::recv(socket.get(), &byte, 1, 0) == -1 ? errno : 0;
}

void hear_end(const sys::Descriptor& socket) {
  while (!hear(socket, 1).empty()) {
  }
}

void send_icmp(Family family, std::uint8_t type, std::uint8_t code, std::uint16_t quoted_source,
               std::uint16_t quoted_target) {
  const bool v4 = family == Family::ipv4;
  const sys::Descriptor raw(sys::check(
      ::socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, v4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}),
      "raw socket"));
  std::string message{static_cast<char>(type), static_cast<char>(code), 0, 0, 0, 0, 0, 0};
  std::string ip(v4 ? 20 : 40, '\0');
  const std::uint32_t v4_loopback = htonl(INADDR_LOOPBACK);
  ip[0] = v4 ? 0x45 : 0x60;
  ip[v4 ? 9 : 6] = IPPROTO_TCP;
  if (v4) {
    ip[3] = 60, ip[8] = 64;
    std::memcpy(ip.data() + 12, &v4_loopback, 4);
    std::memcpy(ip.data() + 16, &v4_loopback, 4);
  } else {
    ip[5] = 20, ip[7] = 64;
    std::memcpy(ip.data() + 8, &in6addr_loopback, 16);
    std::memcpy(ip.data() + 24, &in6addr_loopback, 16);
  }
  std::string tcp(20, '\0');
  for (const auto& [at, port] : {std::pair{0, quoted_source}, std::pair{2, quoted_target}}) {
    const auto big = htons(port);
    std::memcpy(tcp.data() + at, &big, 2);
  }
  message += ip + tcp;
  if (v4) {  // the kernel fills in ICMPv6's
    const auto sum = htons(checksum(message));
    std::memcpy(message.data() + 2, &sum, 2);
  }
  auto to = peer(family, 0);
  sys::check(::sendto(raw.get(), message.data(), message.size(), 0, to.get(), to.size), "send ICMP");
}

void send_segment(Family family, std::uint16_t source, std::uint16_t target, std::uint8_t flags) {
  const sys::Descriptor raw(sys::check(
      ::socket(family == Family::ipv4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP), "raw socket"));
  tcphdr header{};
  header.th_sport = htons(source);
  header.th_dport = htons(target);
  header.th_off = 5;
  header.th_flags = flags;
  auto to = peer(family, 0);
  sys::check(::sendto(raw.get(), &header, sizeof header, 0, to.get(), to.size), "send a segment");
}

void talk(Family family, const std::string& first, const SocketOptions& options) {
  Server listener(family);
  auto client = dial(family, 8080, options);
  auto server = sys::Descriptor();
  if (options.lazy_ack) say(client, first);
  server = listener.accept();
  if (!options.lazy_ack) say(client, first);
  hear(server, first.size());
  say(server, "HTTP/1.1 200 OK");
  hear(client, 15);
  say(client, "GET /two" + std::string(1000, 'x'));
  hear(server, 1008);
  say(server, std::string(2000, 'y'));
  hear(client, 2000);
  sys::check(::shutdown(client.get(), SHUT_WR), "shutdown");
  hear_end(server);
  server.reset();
  hear_end(client);
}

}  // namespace lab::test
