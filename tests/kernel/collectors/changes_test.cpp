// What changes while a run goes on, done by the tools that administrators use.
#include "watched.hpp"

namespace lab::test {
namespace {

using evidence::Change;
using testing::AllOf;
using testing::Contains;
using testing::Field;

struct Act {
  const char *command, *kind;
  const char* before = nullptr;
};
void PrintTo(const Act& act, std::ostream* out) { *out << act.command; }

class Changes : public testing::TestWithParam<Act> {};

TEST_P(Changes, AreTold) {
  in_namespace([] {
    const auto& [command, kind, before] = GetParam();
    if (before) {
      EXPECT_EQ(output_of(before), "");
    }
    const auto changes = evidence::make_changes("");
    Kept kept;
    changes->start(kept);
    EXPECT_EQ(output_of(command), "");
    changes->drain(kept);
    EXPECT_THAT(kept.all<Change>(), Contains(Field("kind", &Change::kind, std::string(kind))));
  });
}

constexpr const char* kTable =
    "nft 'table inet t { chain c { type filter hook output priority 0; tcp dport 1 drop; }; }'";

INSTANTIATE_TEST_SUITE_P(
    Collector, Changes,
    testing::Values(Act{"ip link set lo down", "link-down"}, Act{"ip link set lo up", "link-up", "ip link set lo down"},
                    Act{"ip addr add 10.9.9.9/32 dev lo", "address-added"},
                    Act{"ip addr del 10.9.9.9/32 dev lo", "address-deleted", "ip addr add 10.9.9.9/32 dev lo"},
                    Act{"ip -6 addr add fd00::9/128 dev lo", "address-added"},
                    Act{"ip route add blackhole 10.8.0.0/16", "route-added"},
                    Act{"ip route del blackhole 10.8.0.0/16", "route-deleted", "ip route add blackhole 10.8.0.0/16"},
                    Act{"ip xfrm policy add dir out src 127.0.0.1 dst 127.0.0.1 action block", "xfrm-policy-added"},
                    Act{kTable, "rule-added"}, Act{"nft delete table inet t", "table-deleted", kTable}));

TEST(ChangesCollector, ForgetsTheSetUp) {
  in_namespace([] {
    const auto changes = evidence::make_changes("");
    Kept kept;
    EXPECT_EQ(output_of("ip addr add 10.9.9.9/32 dev lo"), "");
    changes->start(kept);
    changes->drain(kept);
    EXPECT_TRUE(kept.all<Change>().empty());
  });
}

TEST(ChangesCollector, SaysASysctlThatMoved) {
  in_namespace([] {
    const auto changes = evidence::make_changes("");
    Kept kept;
    changes->start(kept);
    EXPECT_EQ(output_of("sysctl -q -w net.ipv4.tcp_retries2=3"), "");
    changes->finish(kept);
    EXPECT_THAT(kept.all<Change>(),
                Contains(AllOf(Field("kind", &Change::kind, "sysctl"),
                               Field("object", &Change::object, testing::HasSubstr("tcp_retries2")))));
  });
}

}  // namespace
}  // namespace lab::test
