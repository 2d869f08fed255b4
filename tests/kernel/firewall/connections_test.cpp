// Limits on connections at once.
#include "faults.hpp"

namespace lab::test {
namespace {

using Op = Comparison::Op;
using firewall::Ruleset;

class Excess : public PerFamily {};
INSTANTIATE_TEST_SUITE_P(Families, Excess, ::testing::Values(Family::ipv4, Family::ipv6), family_name);

class Connections : public ::testing::TestWithParam<std::tuple<Family, Hook>> {};
INSTANTIATE_TEST_SUITE_P(Everywhere, Connections,
                         ::testing::Combine(::testing::Values(Family::ipv4, Family::ipv6),
                                            ::testing::Values(Hook::output, Hook::postrouting, Hook::prerouting,
                                                              Hook::input)),
                         [](const auto& of) {
                           return std::string(scenario::name_of(std::get<0>(of.param))) + "_" +
                                  std::string(scenario::name_of(std::get<1>(of.param)));
                         });

// Only those that were too many when they began, and all of theirs behind the handshake.
TEST_P(Connections, TheThirdIsTooMany) {
  in_namespace([] {
    const auto [family, hook] = GetParam();
    Ruleset ruleset(family, flow(family));
    const auto wanted = [&, at = hook](const char* called, Comparison comparison, bool after) {
      return counting(called, [&](Rule& r) {
        r.hook = at, r.direction = Direction::both, r.match.connections = comparison, r.match.flags_set = kPsh;
        if (after) r.match.after = after_handshake();
      });
    };
    ruleset.add({wanted("more", {Op::more, 2}, false), wanted("after", {Op::more, 2}, true),
                 wanted("least", {Op::at_least, 2}, false), wanted("most", {Op::at_most, 2}, false),
                 wanted("less", {Op::less, 2}, false), wanted("equal", {Op::equal, 2}, false),
                 wanted("unequal", {Op::not_equal, 2}, false)});
    Server listener(family);
    std::vector<sys::Descriptor> clients, servers;
    for (int i = 0; i < 4; ++i) {
      clients.push_back(dial(family));
      servers.push_back(listener.accept());
    }
    for (int i = 0; i < 4; ++i) {
      say(clients[i], "hello");
      hear(servers[i], 5);
      say(servers[i], "hello");
      hear(clients[i], 5);
    }
    EXPECT_EQ(hits(ruleset, "more"), 4u);
    EXPECT_EQ(hits(ruleset, "after"), 4u);
    EXPECT_EQ(hits(ruleset, "least"), 6u);
    EXPECT_EQ(hits(ruleset, "most"), 4u);
    EXPECT_EQ(hits(ruleset, "less"), 2u);
    EXPECT_EQ(hits(ruleset, "equal"), 2u);
    EXPECT_EQ(hits(ruleset, "unequal"), 6u);
    for (int i = 0; i < 3; ++i) {
      clients[i].reset();
      hear_end(servers[i]);
      servers[i].reset();
    }
    // One is left, and the next is the second at once. The kernel forgets the ended ones when a new connection comes,
    // but looks once a jiffy at most (net/netfilter/nf_conncount.c, last_gc): connections follow until it has looked.
    bool forgotten = false;
    for (int attempt = 0; attempt < 2000 && !forgotten; ++attempt) {
      auto client = dial(family);
      auto server = listener.accept();
      const auto more = hits(ruleset, "more");
      say(client, "hello");
      hear(server, 5);
      forgotten = hits(ruleset, "more") == more;
      client.reset();
      hear_end(server);
    }
    EXPECT_TRUE(forgotten);
    EXPECT_EQ(hits(ruleset, "equal"), 3u);
  });
}

TEST_P(Excess, TooManyConnectionsAreCutOffBehindTheHandshake) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::reject_tcp_reset, [](Rule& r) {
      r.match.connections = {Op::more, 1}, r.match.after = after_handshake();
    })});
    Pair first(family());
    auto second = dial(family());
    const auto served = first.listener.accept();
    say(second, "hello");
    EXPECT_EQ(read_error(second), ECONNRESET);
    say(first.client, "hello");
    EXPECT_EQ(hear(first.server, 5), "hello");
  });
}

}  // namespace
}  // namespace lab::test
