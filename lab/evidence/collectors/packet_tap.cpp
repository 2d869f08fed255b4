#include "evidence/collectors/packet_tap.hpp"

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <utility>

#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/parting.hpp"

namespace lab::evidence {
namespace {

constexpr std::size_t kSockets = 3;
constexpr int kQueue = 4 * 1024 * 1024;  // bytes, as far as net.core.rmem_max allows
constexpr std::size_t kBatch = 64;       // packets a system call
constexpr std::size_t kBulk = 192;       // packets at one reading that ask for a ring
// No ring wakes anybody for a part of it: it is read this often.
constexpr std::int64_t kRingTurn = 10'000'000;

sys::Descriptor open_queue(bool incoming_only) {
  auto socket = open_packet_socket(incoming_only);
  set(socket.get(), SOL_SOCKET, SO_RCVBUF, kQueue, "size the packet queue");
  receive_everywhere(socket.get());
  return socket;
}

sys::Descriptor every(std::int64_t period_ns) {
  sys::Descriptor timer(
      sys::check(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), "a timer for the packet ring"));
  const itimerspec turns{.it_interval = {0, period_ns}, .it_value = {0, period_ns}};
  sys::check(::timerfd_settime(timer.get(), 0, &turns, nullptr), "set the packet ring's timer");
  return timer;
}

// Groups are numbered within their network namespace, which is the run's own. Where the kernel does not know the flag
// for it, the filter alone keeps outgoing packets out.
void join_group(int socket, bool incoming_only) {
  constexpr int group = 1, mode = PACKET_FANOUT_ROLLOVER << 16, ignore_outgoing = 0x4000 << 16;
  const int quiet = group | mode | ignore_outgoing;
  if (incoming_only && ::setsockopt(socket, SOL_PACKET, PACKET_FANOUT, &quiet, sizeof quiet) == 0) return;
  set(socket, SOL_PACKET, PACKET_FANOUT, group | mode, "join the packet sockets");
}

}  // namespace

// What recvmmsg(2) wants to be told, wired up once.
struct PacketTap::Reader {
  std::array<Captured, kBatch> packets;
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

PacketTap::PacketTap(bool incoming_only, bool hurry)
    : incoming_only_(incoming_only), hurry_(hurry), reader_(std::make_unique<Reader>()) {
  for (std::size_t i = 0; i < kSockets; ++i) {
    sockets_.push_back(open_queue(incoming_only));
    join_group(sockets_.back().get(), incoming_only);
  }
}

PacketTap::~PacketTap() {
  if (growth_ && growth_->ring()) sockets_.push_back(growth_->ring()->release());
  growth_.reset();
  if (hurry_) sys::leave_to_kernel(std::move(sockets_));
}

std::vector<int> PacketTap::descriptors() const {
  if (timer_.valid()) return {timer_.get()};
  std::vector<int> others;
  for (std::size_t i = 0; i < sockets_.size(); ++i)
    if (i != filling_) others.push_back(sockets_[i].get());
  return others;
}

void PacketTap::hold(const Captured& packet, bool from_ring) {
  if (!growth_ || !growth_->twin(packet, from_ring)) held_.push_back(packet);
}

void PacketTap::read(std::size_t socket, std::int64_t until_ns) {
  while (const auto got = reader_->receive(sockets_[socket].get())) {
    for (std::size_t i = 0; i < got; ++i) hold(reader_->packets[i], false);
    if (got < kBatch || reader_->packets[got - 1].realtime_ns > until_ns) return;
  }
}

// A queue that is read later may hold what came after the end of one read before: that is left to the next time.
void PacketTap::read_queues(std::int64_t until_ns) {
  std::int64_t latest = 0;
  for (std::size_t i = 0; i < sockets_.size(); ++i) {
    const auto before = held_.size();
    read(i, until_ns);
    if (held_.size() == before || held_.back().realtime_ns < latest) continue;
    latest = held_.back().realtime_ns;
    filling_ = i;
  }
}

void PacketTap::read_ring() {
  if (!timer_.valid()) {
    timer_ = every(kRingTurn);
    for (const auto& socket : sockets_) lost_ += lost_by(socket.get());  // before the ring was there, or beside it
  }
  std::uint64_t turns = 0;
  if (::read(timer_.get(), &turns, sizeof turns) < 0 && errno != EAGAIN) sys::check(-1, "read the packet ring's timer");
  growth_->ring()->read([this](const Captured& packet) { hold(packet, true); });
}

void PacketTap::drain(const std::function<void(const Packet&)>& each) {
  if (growth_) growth_->turn();
  const auto now = sys::realtime_ns();
  if (!growth_ || growth_->queues())
    read_queues(now);
  else if (growth_->leaves_queues())
    growth_->leave(std::exchange(sockets_, {}));
  if (growth_ && growth_->ring()) read_ring();
  if (!growth_ && held_.size() >= kBulk)
    growth_ = std::make_unique<PacketGrowth>(sockets_.front().get(), incoming_only_);
  const auto earlier = [](const Captured& a, const Captured& b) { return a.realtime_ns < b.realtime_ns; };
  if (!std::is_sorted(held_.begin(), held_.end(), earlier)) std::stable_sort(held_.begin(), held_.end(), earlier);
  auto at = held_.begin();
  for (; at != held_.end() && at->realtime_ns <= now; ++at)
    each({.realtime_ns = at->realtime_ns,
          .device = at->device,
          .outgoing = at->outgoing,
          .bytes = {at->bytes.data(), at->length}});
  held_.erase(held_.begin(), at);
}

// What the queues lose beside a ring is not lost.
std::uint64_t PacketTap::lost() {
  auto all = std::exchange(lost_, 0);
  const bool ring = growth_ && growth_->ring();
  if (ring) all += growth_->ring()->lost();
  for (const auto& socket : sockets_)
    if (const auto lost = lost_by(socket.get()); !ring) all += lost;
  return all;
}

}  // namespace lab::evidence
