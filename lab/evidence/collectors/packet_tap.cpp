#include "evidence/collectors/packet_tap.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>

#include "system/error.hpp"
#include "system/parting.hpp"

namespace lab::evidence {
namespace {

constexpr std::size_t kSockets = 3;
// IPv6, TCP with every option and the first bytes of the payload fit.
constexpr std::size_t kSnap = 176;
constexpr int kQueue = 4 * 1024 * 1024;  // bytes, as far as net.core.rmem_max allows
constexpr std::size_t kBatch = 64;       // packets a system call

// Accepts TCP, ICMP and ICMPv6, IPv6 with extension headers, and cuts each to kSnap. With SOCK_DGRAM the filter sees
// the packet from its IP header on.
void set_filter(int socket, bool incoming_only) {
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
  sock_fprog filter{.len = sizeof program / sizeof program[0], .filter = const_cast<sock_filter*>(program)};
  sys::check(::setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter), "filter the packet socket");
}

void set(int socket, int level, int option, int value, const char* what) {
  sys::check(::setsockopt(socket, level, option, &value, sizeof value), what);
}

// Protocol 0: nothing is received until bind() says what.
sys::Descriptor open_socket(bool incoming_only) {
  sys::Descriptor socket(
      sys::check(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), "open a packet socket"));
  set_filter(socket.get(), incoming_only);
  set(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, 1, "stamp packets");
  set(socket.get(), SOL_SOCKET, SO_RCVBUF, kQueue, "size the packet queue");
  sockaddr_ll everywhere{};
  everywhere.sll_family = AF_PACKET;
  everywhere.sll_protocol = htons(ETH_P_ALL);
  sys::check(::bind(socket.get(), reinterpret_cast<sockaddr*>(&everywhere), sizeof everywhere),
             "bind the packet socket");
  return socket;
}

// Groups are numbered within their network namespace, which is the run's own. Where the kernel does not know the flag
// for it, the filter alone keeps outgoing packets out.
void join_group(int socket, bool incoming_only) {
  constexpr int group = 1, mode = PACKET_FANOUT_ROLLOVER << 16, ignore_outgoing = 0x4000 << 16;
  const int quiet = group | mode | ignore_outgoing;
  if (incoming_only && ::setsockopt(socket, SOL_PACKET, PACKET_FANOUT, &quiet, sizeof quiet) == 0) return;
  set(socket, SOL_PACKET, PACKET_FANOUT, group | mode, "join the packet sockets");
}

std::int64_t realtime_ns() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

struct PacketTap::Held {
  std::int64_t realtime_ns = 0;
  int device = 0;
  bool outgoing = false;
  std::size_t length = 0;
  std::array<char, kSnap> bytes;
};

// What recvmmsg(2) wants to be told, wired up once.
struct PacketTap::Reader {
  std::array<Held, kBatch> packets;
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> rooms{};
  std::array<sockaddr_ll, kBatch> links{};
  struct alignas(cmsghdr) Control {
    char bytes[CMSG_SPACE(sizeof(timespec))];
  };
  std::array<Control, kBatch> controls{};

  std::size_t receive(int socket) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      rooms[i] = {packets[i].bytes.data(), kSnap};
      auto& message = messages[i].msg_hdr;
      message.msg_name = &links[i];
      message.msg_namelen = sizeof links[i];
      message.msg_iov = &rooms[i];
      message.msg_iovlen = 1;
      message.msg_control = &controls[i];
      message.msg_controllen = sizeof controls[i];
    }
    const int n = ::recvmmsg(socket, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
    const auto got = static_cast<std::size_t>(sys::check(n, "read the packet socket"));
    for (std::size_t i = 0; i < got; ++i) finish(i);
    return got;
  }

 private:
  void finish(std::size_t i) {
    auto& packet = packets[i];
    packet.length = messages[i].msg_len;
    packet.device = links[i].sll_ifindex;
    packet.outgoing = links[i].sll_pkttype == PACKET_OUTGOING;
    packet.realtime_ns = 0;
    auto& message = messages[i].msg_hdr;
    for (auto* header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header))
      if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPNS) {
        timespec stamp{};
        std::memcpy(&stamp, CMSG_DATA(header), sizeof stamp);
        packet.realtime_ns = std::int64_t{stamp.tv_sec} * 1'000'000'000 + stamp.tv_nsec;
      }
  }
};

PacketTap::PacketTap(bool incoming_only, bool hurry) : hurry_(hurry), reader_(std::make_unique<Reader>()) {
  for (std::size_t i = 0; i < kSockets; ++i) {
    sockets_.push_back(open_socket(incoming_only));
    join_group(sockets_.back().get(), incoming_only);
  }
}

PacketTap::~PacketTap() {
  if (hurry_) sys::leave_to_kernel(std::move(sockets_));
}

std::vector<int> PacketTap::descriptors() const {
  std::vector<int> others;
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    if (i != filling_) others.push_back(sockets_[i].get());
  return others;
}

void PacketTap::read(std::size_t socket, std::int64_t until_ns) {
  while (const auto got = reader_->receive(sockets_[socket].get())) {
    held_.insert(held_.end(), reader_->packets.begin(), reader_->packets.begin() + static_cast<std::ptrdiff_t>(got));
    if (got < kBatch || held_.back().realtime_ns > until_ns) return;
  }
}

void PacketTap::drain(const std::function<void(const Packet&)>& each) {
  // A queue that is read later may hold what came after the end of one read before: that is left to the next time.
  const auto now = realtime_ns();
  std::int64_t latest = 0;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const auto before = held_.size();
    read(i, now);
    if (held_.size() == before || held_.back().realtime_ns < latest) continue;
    latest = held_.back().realtime_ns;
    filling_ = i;
  }
  const auto earlier = [](const Held& a, const Held& b) { return a.realtime_ns < b.realtime_ns; };
  if (!std::is_sorted(held_.begin(), held_.end(), earlier)) std::stable_sort(held_.begin(), held_.end(), earlier);
  auto at = held_.begin();
  for (; at != held_.end() && at->realtime_ns <= now; ++at)
    each({.realtime_ns = at->realtime_ns,
          .device = at->device,
          .outgoing = at->outgoing,
          .bytes = {at->bytes.data(), at->length}});
  held_.erase(held_.begin(), at);
}

std::uint64_t PacketTap::lost() {
  std::uint64_t all = 0;
  for (const auto& socket : sockets_) {
    tpacket_stats stats{};
    socklen_t size = sizeof stats;
    sys::check(::getsockopt(socket.get(), SOL_PACKET, PACKET_STATISTICS, &stats, &size),
               "ask what the packet sockets lost");
    all += stats.tp_drops;
  }
  return all;
}

}  // namespace lab::evidence
