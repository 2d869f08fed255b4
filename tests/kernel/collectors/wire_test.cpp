// What packet sockets see: every segment once, in order, and not what an output hook ate.
#include "watched.hpp"

namespace lab::test {
namespace {

using evidence::Segment;
using testing::ElementsAre;

// "c S": who sent it and its flags; a payload's length where there is one.
std::vector<std::string> ladder(const Kept& kept, const Pair& pair) {
  std::vector<std::string> rows;
  for (const auto& segment : kept.all<Segment>()) {
    const auto who = to_string(segment.source) == pair.client_address ? "c " : "s ";
    rows.push_back(who + segment.flags + (segment.length ? " " + std::to_string(segment.length) : ""));
  }
  return rows;
}

class Wire : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Collector, Wire, testing::Values(4, 6));

TEST_P(Wire, SeesAConnectionFromBeginToEnd) {
  in_namespace([] {
    const auto wire = evidence::make_wire("", false);
    Kept kept;
    wire->start(kept);
    Pair pair(GetParam());
    pair.send("Hello Server");
    EXPECT_EQ(pair.receive(), "Hello Server");
    pair.server.reset();
    ASSERT_TRUE(wait_until([&] {  // the FIN's acknowledgement may be delayed
      wire->drain(kept);
      return ladder(kept, pair).size() >= 7;
    }));
    wire->finish(kept);
    EXPECT_THAT(ladder(kept, pair), ElementsAre("c S", "s SA", "c A", "c PA 12", "s A", "s FA", "c A"));
    std::int64_t last = 0;
    for (const auto& event : kept.events) {
      EXPECT_GE(event.t_ns, last);
      EXPECT_FALSE(event.read_time) << "the kernel stamps them";
      last = event.t_ns;
    }
    EXPECT_EQ(kept.all<Segment>()[3].head, "48656c6c6f20536572766572");
  });
}

// Behind the output hook, before the input hook.
class Hooks : public testing::TestWithParam<std::pair<const char*, bool>> {};
INSTANTIATE_TEST_SUITE_P(Wire, Hooks,
                         testing::Values(std::pair{"output", false}, std::pair{"postrouting", false},
                                         std::pair{"prerouting", true}, std::pair{"input", true}));

TEST_P(Hooks, DecideWhetherALostSegmentIsSeen) {
  in_namespace([] {
    const auto& [hook, seen] = GetParam();
    const Pair pair;
    const auto wire = evidence::make_wire("", false);
    Kept kept;
    wire->start(kept);
    EXPECT_EQ(output_of("nft 'table inet t { counter eaten { }; chain c { type filter hook " + std::string(hook) +
                        " priority 0; tcp dport 8080 counter name eaten drop; }; }'"),
              "");
    pair.send("lost");
    ASSERT_TRUE(
        wait_until([] { return output_of("nft list counter inet t eaten").find("packets 0") == std::string::npos; }));
    wire->finish(kept);
    EXPECT_EQ(!kept.all<Segment>().empty(), seen);
  });
}

}  // namespace
}  // namespace lab::test
