// The rule trace and conntrack beside what nft and conntrack(8) say.
#include "watched.hpp"

namespace lab::test {
namespace {

using evidence::Flow;
using evidence::RuleState;
using evidence::TraceHit;
using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;

constexpr const char* kRules =
    "nft 'table inet t { chain c { type filter hook output priority 0; policy accept; "
    "tcp dport 8080 tcp flags & (fin|psh) == psh meta nftrace set 1 counter drop comment \"eat-data\"; }; }'";

TEST(TraceCollector, NamesTheRuleThatAteASegment) {
  in_namespace([] {
    const Pair pair;
    const auto trace = evidence::make_trace("");
    Kept kept;
    EXPECT_EQ(output_of(kRules), "");
    trace->start(kept);
    pair.send("lost");
    ASSERT_TRUE(wait_until([] { return output_of("nft list ruleset").find("packets 0") == std::string::npos; }));
    trace->finish(kept);
    EXPECT_THAT(kept.all<TraceHit>(),
                Contains(AllOf(Field("name", &TraceHit::name, "eat-data"), Field("verdict", &TraceHit::verdict, "drop"),
                               Field("table", &TraceHit::table, "t"), Field("hook", &TraceHit::hook, "output"),
                               Field("flags", &TraceHit::flags, "PA"), Field("length", &TraceHit::length, 4u))));
    const auto rules = kept.all<RuleState>();
    ASSERT_FALSE(rules.empty());
    const auto& rule = rules.front();
    EXPECT_THAT(output_of("nft -a list ruleset"), HasSubstr("counter packets " + std::to_string(rule.packets)));
    EXPECT_THAT(output_of("nft -a list ruleset"), HasSubstr("# handle " + std::to_string(rule.handle)));
  });
}

TEST(ConntrackCollector, ListensAndLoadsNothing) {
  in_namespace([] {
    const auto conntrack = evidence::make_conntrack("");
    Kept kept;
    conntrack->start(kept);
    { const Pair pair; }
    conntrack->finish(kept);
    EXPECT_TRUE(kept.all<Flow>().empty()) << "nobody asked for connection tracking here";
    EXPECT_EQ(output_of("nft list ruleset"), "");
  });
}

TEST(ConntrackCollector, FollowsAFlow) {
  in_namespace([] {
    EXPECT_EQ(
        output_of("nft 'table inet t { chain c { type filter hook output priority 0; ct state new counter; }; }'"), "");
    const auto conntrack = evidence::make_conntrack("");
    Kept kept;
    conntrack->start(kept);
    const Pair pair;
    conntrack->finish(kept);
    const auto flows = kept.all<Flow>();
    ASSERT_FALSE(flows.empty());
    EXPECT_EQ(flows.front().kind, "new");
    EXPECT_EQ(to_string(flows.front().original_source), pair.client_address);
    EXPECT_EQ(flows.back().state, "ESTABLISHED");
    EXPECT_THAT(output_of("conntrack -L 2>/dev/null"), HasSubstr("ESTABLISHED src=127.0.0.1 dst=127.0.0.1"));
  });
}

}  // namespace
}  // namespace lab::test
