// The change from small queues to a ring, in the middle of a transfer: every segment once, none lost.
#include <algorithm>
#include <map>

#include "evidence/collectors/packet.hpp"
#include "evidence/collectors/packet_tap.hpp"
#include "system/file.hpp"
#include "watched.hpp"

namespace lab::test {
namespace {

using evidence::PacketTap;
using evidence::Segment;

class Tap : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Packets, Tap, testing::Values(4, 6));

struct Heard {
  std::map<std::uint64_t, int> times;  // by sequence number, of the client's segments with data
  std::int64_t last_ns = 0;
  bool in_order = true;

  void take(const PacketTap::Packet& packet) {
    in_order = in_order && packet.realtime_ns >= last_ns;
    last_ns = packet.realtime_ns;
    const auto parsed = evidence::read_packet(packet.bytes);
    const auto* segment = parsed ? std::get_if<Segment>(&*parsed) : nullptr;
    if (segment && segment->length) ++times[segment->seq];
  }
};

// The timer of a ring in place of the queues that fill up.
bool has_ring(const PacketTap& tap) { return tap.descriptors().size() == 1; }

// Of the namespace, as the kernel lists them: each is asked about every packet.
std::ptrdiff_t packet_sockets() {
  const auto listed = sys::read_file("/proc/self/net/packet");
  return std::count(listed.begin(), listed.end(), '\n') - 1;
}

TEST_P(Tap, ABulkTransferGetsARingAndEverySegmentIsSeenOnce) {
  in_namespace([] {
    PacketTap tap(true, false);
    const Pair pair(GetParam());
    Heard heard;
    int sent = 0;
    std::uint64_t lost = 0;
    const auto talk = [&](int times) {
      for (int i = 0; i < times; ++i, ++sent) {
        pair.send("x");
        pair.receive();
      }
      // In order within a reading: a softirq can be held up between the stamp and the queue until after the next.
      heard.last_ns = 0;
      tap.drain([&](const PacketTap::Packet& packet) { heard.take(packet); });
      lost += tap.lost();
    };
    talk(1);
    EXPECT_FALSE(has_ring(tap)) << "a short connection gets none";
    talk(200);
    ASSERT_TRUE(wait_until([&] {
      talk(20);
      return has_ring(tap);
    }));
    for (int i = 0; i < 20; ++i) talk(100);  // more than the queues hold, many times
    talk(0);
    EXPECT_EQ(lost, 0U);
    EXPECT_TRUE(heard.in_order);
    EXPECT_EQ(heard.times.size(), static_cast<std::size_t>(sent));
    for (const auto& [seq, times] : heard.times) EXPECT_EQ(times, 1) << "segment " << seq;
    EXPECT_TRUE(wait_until([] { return packet_sockets() == 1; })) << "the queues are in the packets' way no longer";
  });
}

TEST(Tap, FewPacketsGetNoRing) {
  in_namespace([] {
    PacketTap tap(true, false);
    const Pair pair;
    for (int i = 0; i < 50; ++i) {
      for (int j = 0; j < 10; ++j) {
        pair.send("x");
        pair.receive();
      }
      tap.drain([](const PacketTap::Packet&) {});
    }
    EXPECT_FALSE(has_ring(tap));
  });
}

}  // namespace
}  // namespace lab::test
