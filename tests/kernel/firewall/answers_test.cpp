// What a reject answers, and what is made of ICMP.
#include "faults.hpp"

namespace lab::test {
namespace {

using firewall::Ruleset;

class Answers : public PerFamily {};
INSTANTIATE_TEST_SUITE_P(Families, Answers, ::testing::Values(Family::ipv4, Family::ipv6), family_name);

struct Answer {
  RuleAction action;
  std::uint8_t type4, code4, type6, code6;
};

TEST_P(Answers, EachRejectAnswersInItsOwnWay) {
  const std::vector<Answer> answers = {{RuleAction::reject_port, 3, 3, 1, 4},
                                       {RuleAction::reject_host, 3, 1, 1, 3},
                                       {RuleAction::reject_net, 3, 0, 1, 0},
                                       {RuleAction::reject_admin, 3, 13, 1, 1}};
  for (const auto& answer : answers)
    for (const auto hook : {Hook::output, Hook::prerouting, Hook::input})
      in_namespace([&] {
        SCOPED_TRACE(std::string(scenario::name_of(answer.action)) + " at " + std::string(scenario::name_of(hook)));
        Ruleset ruleset(family(), flow(family()));
        ruleset.add({acting("it", answer.action, [&](Rule& r) { r.hook = hook, r.match.after = after_handshake(); })});
        Pair pair(family());
        Wire wire;
        say(pair.client, "refused");
        EXPECT_TRUE(wait_for_hits(ruleset, "it", 1));
        EXPECT_EQ(peek(pair.server), "");
        std::uint64_t icmp = 0;
        for (const auto& seen : wire.take()) {
          if (!seen.icmp) continue;
          ++icmp;
          EXPECT_EQ(seen.type, family() == Family::ipv4 ? answer.type4 : answer.type6);
          EXPECT_EQ(seen.code, family() == Family::ipv4 ? answer.code4 : answer.code6);
        }
        EXPECT_GE(icmp, 1u);
      });
}

TEST_P(Answers, ResetEndsTheClientAndNotTheServer) {
  for (const auto hook : {Hook::output, Hook::prerouting, Hook::input})
    in_namespace([&] {
      Ruleset ruleset(family(), flow(family()));
      ruleset.add({acting("it", RuleAction::reject_tcp_reset,
                          [&](Rule& r) { r.hook = hook, r.match.after = after_handshake(); })});
      Pair pair(family());
      say(pair.client, "refused");
      EXPECT_EQ(read_error(pair.client), ECONNRESET);
      EXPECT_EQ(hits(ruleset, "it"), 1u);
      EXPECT_EQ(peek(pair.server), "");
    });
}

struct Icmp {
  const char* name;
  std::uint8_t type4, code4, type6, code6;
};

TEST_P(Answers, IcmpAnswersByKindAndDirection) {
  const std::vector<Icmp> kinds = {{"port-unreachable", 3, 3, 1, 4}, {"host-unreachable", 3, 1, 1, 3},
                                   {"net-unreachable", 3, 0, 1, 0},  {"admin-prohibited", 3, 13, 1, 1},
                                   {"frag-needed", 3, 4, 2, 0},      {"time-exceeded", 11, 0, 3, 0}};
  in_namespace([&] {
    Ruleset ruleset(family(), flow(family()));
    std::vector<Rule> rules;
    for (const auto& kind : kinds) {
      rules.push_back(counting(kind.name, [&](Rule& r) { r.match.icmp = kind.name, r.direction = Direction::both; }));
      rules.push_back(counting(std::string("not-") + kind.name,
                               [&](Rule& r) { r.negated.emplace().icmp = kind.name, r.direction = Direction::both; }));
    }
    rules.push_back(
        counting("unreachable", [](Rule& r) { r.match.icmp = "unreachable", r.direction = Direction::both; }));
    for (const auto direction : {Direction::to_server, Direction::to_client})
      rules.push_back(counting(direction == Direction::to_server ? "server" : "client",
                               [&](Rule& r) { r.match.icmp = "frag-needed", r.direction = direction; }));
    ruleset.add(rules);
    Pair pair(family());
    const auto client = local_port(pair.client);
    const bool v4 = family() == Family::ipv4;
    for (const auto& kind : kinds)
      send_icmp(family(), v4 ? kind.type4 : kind.type6, v4 ? kind.code4 : kind.code6, client, 8080);
    send_icmp(family(), v4 ? 3 : 2, v4 ? 4 : 0, 8080, client);  // tells the server that its segment was too big
    send_icmp(family(), v4 ? 3 : 2, v4 ? 4 : 0, client, 8081);  // another flow's
    for (const auto& kind : kinds) {
      const std::uint64_t own = kind.name == std::string("frag-needed") ? 2 : 1;
      EXPECT_EQ(hits(ruleset, kind.name), own) << kind.name;
      EXPECT_EQ(hits(ruleset, std::string("not-") + kind.name), 7 - own) << kind.name;
    }
    EXPECT_EQ(hits(ruleset, "unreachable"), v4 ? 6u : 4u);
    EXPECT_EQ(hits(ruleset, "server"), 1u);
    EXPECT_EQ(hits(ruleset, "client"), 1u);
  });
}

}  // namespace
}  // namespace lab::test
