#include "evidence/collectors/packet_socket.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <span>

#include "system/error.hpp"

namespace lab::evidence {
namespace {

void set_filter(int socket, std::span<const sock_filter> program) {
  sock_fprog filter{.len = static_cast<unsigned short>(program.size()),
                    .filter = const_cast<sock_filter*>(program.data())};
  sys::check(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), "filter the packet socket");
}

}  // namespace

std::string Captured::to_bytes() const {
  return std::to_string(device) + (outgoing ? '>' : '<') + std::string(bytes.data(), length);
}

void set(int socket, int level, int option, int value, const char* what) {
  sys::check(::setsockopt(socket, level, option, &value, sizeof value), what);
}

// Accepts TCP, ICMP and ICMPv6, IPv6 with extension headers, and cuts each to kSnap. With SOCK_DGRAM the filter sees
// the packet from its IP header on. Protocol 0: nothing is received until bind() says what.
sys::Descriptor open_packet_socket(bool incoming_only) {
  sys::Descriptor socket(
      sys::check(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "open a packet socket"));
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, incoming_only ? PACKET_OUTGOING : ~0U, 8, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, static_cast<std::uint32_t>(SKF_AD_OFF + SKF_AD_PROTOCOL)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 0, 5),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_TCP, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMP, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, kSnap),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  set_filter(socket.get(), program);
  set(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1, "stamp packets");
  return socket;
}

void receive_everywhere(int socket) {
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  everywhere.sll_protocol = htons(ETH_P_ALL);
  sys::check(::bind(socket, reinterpret_cast<sockaddr*>(&everywhere), sizeof everywhere), "bind the packet socket");
}

void receive_nothing(int socket) {
  const sock_filter program[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  set_filter(socket, program);
}

}  // namespace lab::evidence
