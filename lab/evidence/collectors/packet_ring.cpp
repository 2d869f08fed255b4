#include "evidence/collectors/packet_ring.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>

#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::evidence {
namespace {

// 4096 frames of 256 bytes: the V2 header and the link address take 52 of them, and a packet is cut to what is left:
// IPv6, TCP with every option and the first bytes of the payload fit. 100,000 packets/s fill it in 40 ms.
constexpr unsigned kFrame = 256, kBlock = 64 * 1024, kBlocks = 16;
constexpr unsigned kFrames = kBlocks * (kBlock / kFrame);
constexpr std::size_t kRing = std::size_t{kBlock} * kBlocks;
constexpr std::uint32_t kSnap = 176;

// Accepts TCP, ICMP and ICMPv6, IPv6 with extension headers, and cuts each to kSnap. With SOCK_DGRAM the filter sees the
// packet from its IP header on.
void set_filter(int socket) {
  static constexpr sock_filter program[] = {
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
  sock_fprog filter{.len = sizeof program / sizeof program[0], .filter = const_cast<sock_filter*>(program)};
  sys::check(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), "filter the packet socket");
}

template <class Value>
void set(int socket, int option, Value value, const char* what) {
  sys::check(::setsockopt(socket, SOL_PACKET, option, &value, sizeof value), what);
}

// In flight inside a socket that only it holds itself, nothing but the kernel's garbage collector can reach the packet
// socket, and since 6.10 that one works in a thread of the kernel (net/unix/garbage.c). Older kernels collect at once.
void leave_to_the_collector(const sys::Descriptor& socket) {
  const auto pair = sys::make_pair(SOCK_DGRAM);
  const int passed[2] = {socket.get(), pair.other.get()};
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof passed)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof passed);
  std::memcpy(CMSG_DATA(header), passed, sizeof passed);
  sys::check(::sendmsg(pair.one.get(), &message, 0), "pass the packet socket on");
}

}  // namespace

PacketRing::PacketRing(bool incoming_only)
    // Protocol 0: nothing is received until the ring stands and bind() says what.
    : socket_(sys::check(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "open a packet socket")) {
  set_filter(socket_.get());
  set(socket_.get(), PACKET_VERSION, int{TPACKET_V2}, "choose the packet ring's version");
  if (incoming_only) set(socket_.get(), PACKET_IGNORE_OUTGOING, 1, "ignore outgoing packets");
  set(socket_.get(), PACKET_RX_RING, tpacket_req{.tp_block_size = kBlock, .tp_block_nr = kBlocks, .tp_frame_size = kFrame, .tp_frame_nr = kFrames},
      "make the packet ring");
  ring_ = static_cast<char*>(
      sys::check(::mmap(nullptr, kRing, PROT_READ | PROT_WRITE, MAP_SHARED, socket_.get(), 0), "map the packet ring"));
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  everywhere.sll_protocol = htons(ETH_P_ALL);
  sys::check(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&everywhere), sizeof everywhere), "bind the packet socket");
}

PacketRing::~PacketRing() {
  ::munmap(ring_, kRing);
  try {
    leave_to_the_collector(socket_);
  } catch (const std::exception&) {   // then it is closed here, and that takes its time
  }
}

void PacketRing::drain(const std::function<void(const Packet&)>& each) {
  for (unsigned seen = 0; seen < kFrames; ++seen) {
    auto* frame = ring_ + std::size_t{next_} * kFrame;
    auto* header = reinterpret_cast<tpacket2_hdr*>(frame);
    std::atomic_ref<std::uint32_t> status(header->tp_status);
    if (!(status.load(std::memory_order_acquire) & TP_STATUS_USER)) return;
    const auto* link = reinterpret_cast<const sockaddr_ll*>(frame + TPACKET_ALIGN(sizeof(tpacket2_hdr)));
    each({.realtime_ns = std::int64_t{header->tp_sec} * 1'000'000'000 + header->tp_nsec,
          .device = link->sll_ifindex,
          .outgoing = link->sll_pkttype == PACKET_OUTGOING,
          .bytes = {frame + header->tp_net, header->tp_snaplen}});
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % kFrames;
  }
}

std::uint64_t PacketRing::lost() {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  sys::check(::getsockopt(socket_.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size), "ask what the packet ring lost");
  return stats.tp_drops;
}

}  // namespace lab::evidence
