#include "evidence/collectors/packet_ring.hpp"

#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "system/error.hpp"

namespace lab::evidence {
namespace {

// A frame holds its header, the link's address and a packet cut to kSnap. 16384 of them last for a tenth of a second of
// the fastest transfer seen.
constexpr unsigned kFrame = 256, kBlock = 64 * 1024, kBlocks = 64;
constexpr std::size_t kSize = std::size_t{kBlock} * kBlocks, kFrames = kSize / kFrame;
static_assert(TPACKET_ALIGN(sizeof(tpacket2_hdr)) + sizeof(sockaddr_ll) + 16 + kSnap <= kFrame);

// The namespace of a socket: the thread may have been elsewhere when it was opened.
void enter_namespace_of(int socket) {
  const sys::Descriptor netns(sys::check(::ioctl(socket, SIOCGSKNS), "the packet socket's network namespace"));
  sys::check(::setns(netns.get(), CLONE_NEWNET), "enter the packet socket's network namespace");
}

}  // namespace

PacketRing::PacketRing(int beside, bool incoming_only) {
  enter_namespace_of(beside);
  socket_ = open_packet_socket(incoming_only);
  const int fd = socket_.get();
  if (incoming_only) {  // where the kernel does not know it, the filter does it
    const int on = 1;
    ::setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  }
  set(fd, SOL_PACKET, PACKET_VERSION, TPACKET_V2, "choose the packet ring's format");
  set(fd, SOL_PACKET, PACKET_TIMESTAMP, SOF_TIMESTAMPING_SOFTWARE, "stamp the packet ring");
  const tpacket_req size{
      .tp_block_size = kBlock, .tp_block_nr = kBlocks, .tp_frame_size = kFrame, .tp_frame_nr = kFrames};
  sys::check(::setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &size, sizeof size), "make the packet ring");
  frames_ = static_cast<char*>(
      sys::check(::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), "map the packet ring"));
  ::madvise(frames_, kSize, MADV_DONTFORK);  // no process that is forked later reads it
  receive_everywhere(fd);
}

PacketRing::~PacketRing() { unmap(); }

void PacketRing::unmap() {
  if (frames_) ::munmap(std::exchange(frames_, nullptr), kSize);
}

sys::Descriptor PacketRing::release() {
  unmap();
  return std::move(socket_);
}

// The kernel fills one frame after the other and hands each over by its status.
void PacketRing::read(const std::function<void(const Captured&)>& each) {
  for (std::size_t taken = 0; taken < kFrames; ++taken) {
    auto* const frame = frames_ + next_ * kFrame;
    auto& header = *reinterpret_cast<tpacket2_hdr*>(frame);
    std::atomic_ref status(header.tp_status);
    if (!(status.load(std::memory_order_acquire) & TP_STATUS_USER)) return;
    sockaddr_ll link;
    std::memcpy(&link, frame + TPACKET_ALIGN(sizeof header), sizeof link);
    Captured packet{.realtime_ns = std::int64_t{header.tp_sec} * 1'000'000'000 + header.tp_nsec,
                    .device = link.sll_ifindex,
                    .outgoing = link.sll_pkttype == PACKET_OUTGOING,
                    .length = std::min<std::size_t>(header.tp_snaplen, kSnap),
                    .bytes = {}};
    std::memcpy(packet.bytes.data(), frame + header.tp_net, packet.length);
    status.store(TP_STATUS_KERNEL, std::memory_order_release);
    next_ = (next_ + 1) % kFrames;
    each(packet);
  }
}

std::uint64_t PacketRing::lost() { return lost_by(socket_.get()); }

std::uint64_t lost_by(int packet_socket) {
  tpacket_stats stats{};
  socklen_t size = sizeof stats;
  sys::check(::getsockopt(packet_socket, SOL_PACKET, PACKET_STATISTICS, &stats, &size),
             "ask what a packet socket lost");
  return stats.tp_drops;
}

}  // namespace lab::evidence
