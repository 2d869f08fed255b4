// What faults do to real connections, and what they leave alone.
#include <map>

#include "faults.hpp"
#include "system/error.hpp"

namespace lab::test {
namespace {

using namespace std::chrono_literals;
using Op = Comparison::Op;
using firewall::Ruleset;

class Faults : public PerFamily {};
INSTANTIATE_TEST_SUITE_P(Families, Faults, ::testing::Values(Family::ipv4, Family::ipv6), family_name);

TEST_P(Faults, DropAfterHandshakeLetsTheHandshakePass) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::drop, [](Rule& r) { r.match.after = after_handshake(); })});
    Pair pair(family());
    say(pair.client, "lost");
    EXPECT_TRUE(wait_for_hits(ruleset, "it", 2));  // the segment and a retransmission
    EXPECT_EQ(peek(pair.server), "");
    say(pair.server, "heard");
    EXPECT_EQ(hear(pair.client, 5), "heard");
  });
}

TEST_P(Faults, DropOfAnswersLeavesTheRequests) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::drop,
                        [](Rule& r) { r.match.after = after_handshake(), r.direction = Direction::to_client; })});
    Pair pair(family());
    say(pair.client, "heard");
    EXPECT_EQ(hear(pair.server, 5), "heard");
    say(pair.server, "lost");
    EXPECT_TRUE(wait_for_hits(ruleset, "it", 2));
    EXPECT_EQ(peek(pair.client), "");
  });
}

// The operator's way: nothing of the handshake was seen, and the server speaks first after the rule came.
TEST_P(Faults, AddedInTheMiddleEverythingIsBehindTheHandshake) {
  in_namespace([] {
    Pair pair(family());
    say(pair.client, "before");
    hear(pair.server, 6);
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::drop, [](Rule& r) { r.match.after = after_handshake(); })});
    say(pair.server, "heard");
    EXPECT_EQ(hear(pair.client, 5), "heard");
    say(pair.client, "lost");
    EXPECT_TRUE(wait_for_hits(ruleset, "it", 3));  // an ACK, the segment, a retransmission
    EXPECT_EQ(peek(pair.server), "");
    ruleset.remove("it");
    EXPECT_EQ(hear(pair.server, 4), "lost");
  });
}

// Conntrack takes the server for the originator here; ports decide which count is meant.
TEST_P(Faults, CountsAreOfTheRulesDirectionWhoeverSpeaksFirst) {
  in_namespace([] {
    Pair pair(family());
    Ruleset ruleset(family(), flow(family()));
    Wire wire;
    const auto rule = [](const char* of, Direction direction) {
      return counting(of, [&](Rule& r) { r.match.after = after_packets(0), r.direction = direction; });
    };
    ruleset.add({rule("server", Direction::to_server), rule("client", Direction::to_client),
                 counting("more", [](Rule& r) { r.match.after = after_packets(2); })});
    for (int i = 0; i < 3; ++i) {
      say(pair.server, "hello");
      hear(pair.client, 5);
      say(pair.client, "hi");
      hear(pair.server, 2);
    }
    std::map<bool, std::uint64_t> seen;
    for (const auto& each : wire.take()) ++seen[each.to_server];
    EXPECT_EQ(hits(ruleset, "server"), seen[true]);
    EXPECT_EQ(hits(ruleset, "client"), seen[false]);
    EXPECT_EQ(hits(ruleset, "more"), seen[true] - 2);
  });
}

TEST_P(Faults, ARepeatedSynIsPartOfTheHandshake) {
  in_namespace([] {
    nft("table inet loss { chain in { type filter hook prerouting priority -500\n tcp flags syn / syn,ack numgen inc "
        "mod 1000 < 2 counter drop\n }\n}\n");
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::drop, [](Rule& r) { r.match.after = after_handshake(); }),
                 counting("young", [](Rule& r) { r.negated.emplace().after = after_time(10s); }),
                 counting("old", [](Rule& r) { r.match.after = after_time(1500ms); })});
    Pair pair(family());  // the third SYN comes through, 3 s after the first
    EXPECT_EQ(hits(ruleset, "it"), 0u);
    EXPECT_EQ(hits(ruleset, "young"), 4u);  // three SYN and the ACK
    EXPECT_EQ(hits(ruleset, "old"), 2u);    // the third SYN and the ACK: the first SYN's time counts
    say(pair.client, "lost");
    EXPECT_TRUE(wait_for_hits(ruleset, "it", 1));
  });
}

// The client had repeated its SYN before the answer came, and its repetition comes by last: data behind it is no last
// ACK.
TEST_P(Faults, ASynThatComesByLateOpensNothingAgain) {
  for (const auto direction : {Direction::to_server, Direction::to_client})
    in_namespace([&] {
      Ruleset ruleset(family(), flow(family()));
      // At output the sender of a raw segment would be told.
      ruleset.add({acting("it", RuleAction::drop, [&](Rule& r) {
        r.match.after = after_handshake(), r.hook = scenario::Hook::prerouting, r.direction = direction;
      })});
      Pair pair(family());
      send_segment(family(), local_port(pair.client), 8080, kSyn);
      const bool to_server = direction == Direction::to_server;
      say(to_server ? pair.client : pair.server, "lost");
      EXPECT_TRUE(wait_for_hits(ruleset, "it", to_server ? 3 : 2));  // the SYN; the segment and a retransmission
      EXPECT_EQ(peek(to_server ? pair.server : pair.client), "");
    });
}

// The repetition comes by between the answer and the last ACK: the answers' way is shut behind that, too.
TEST_P(Faults, ASynBeforeTheLastAckOpensNothingBehindIt) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add(
        {counting("answers", [](Rule& r) { r.match.after = after_handshake(), r.direction = Direction::to_client; })});
    const auto to_server = [](std::uint8_t flags) { send_segment(family(), 20000, 8080, flags); };
    const auto to_client = [](std::uint8_t flags) { send_segment(family(), 8080, 20000, flags); };
    to_server(kSyn);
    to_client(kSyn | kAck);
    to_server(kSyn);
    to_server(kAck);
    EXPECT_EQ(hits(ruleset, "answers"), 0u);
    to_client(kPsh | kAck);
    EXPECT_EQ(hits(ruleset, "answers"), 1u);
  });
}

// The same ports again, behind a connection that a reset of either end or a FIN closed.
TEST_P(Faults, ThePortsOfAClosedConnectionAreOpenedAgain) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({counting("syn", [](Rule& r) { r.match.after = after_handshake(), r.match.flags_set = kSyn; })});
    Server server(family());
    for (const auto* closes : {"client aborts", "server aborts", "server first, then client", "none"}) {
      auto client = dial(family(), 8080, {.from = 20000});
      auto accepted = server.accept();
      EXPECT_EQ(hits(ruleset, "syn"), 0u) << closes;
      if (closes == std::string("client aborts")) abort_when_closed(client);
      if (closes == std::string("server aborts")) abort_when_closed(accepted);
      if (closes == std::string("client aborts")) client.reset();
      accepted.reset();
    }
  });
}

// The server did not hear the first last ACK: its repeated SYN,ACK is answered by another one.
TEST_P(Faults, ARepeatedLastAckIsPartOfTheHandshake) {
  in_namespace([] {
    nft("table inet loss { chain in { type filter hook prerouting priority -500\n tcp dport 8080 tcp flags ack / "
        "syn,ack numgen inc mod 1000 < 1 counter drop\n }\n}\n");
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::reject_tcp_reset, [](Rule& r) { r.match.after = after_handshake(); })});
    Pair pair(family());  // accept() returns a second later
    EXPECT_EQ(hits(ruleset, "it"), 0u);
    say(pair.client, "refused");
    EXPECT_EQ(read_error(pair.client), ECONNRESET);
  });
}

TEST_P(Faults, ARefusalIsNotBehindTheHandshake) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({acting("it", RuleAction::drop,
                        [](Rule& r) { r.match.after = after_handshake(), r.direction = Direction::to_client; })});
    try {
      dial(family());
      FAIL() << "nobody listens";
    } catch (const sys::KernelError& error) {
      EXPECT_EQ(error.name(), "ECONNREFUSED");
    }
    EXPECT_EQ(hits(ruleset, "it"), 0u);
  });
}

TEST_P(Faults, TimeRunsFromTheSyn) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    ruleset.add({counting("old", [](Rule& r) { r.match.after = after_time(300ms), r.direction = Direction::both; }),
                 counting("all", [](Rule& r) { r.direction = Direction::both; })});
    Pair pair(family());
    EXPECT_TRUE(
        wait_until([] { return output_of("nft list set inet lab age-1").find("expires") == std::string::npos; }));
    const auto all = hits(ruleset, "all"), old = hits(ruleset, "old");
    say(pair.client, "late");
    hear(pair.server, 4);
    say(pair.server, "later");
    hear(pair.client, 5);
    const auto more = hits(ruleset, "all") - all;
    EXPECT_GE(more, 2u);
    EXPECT_EQ(hits(ruleset, "old") - old, more);
  });
}

// Which segments, not only how many: what the first rule accepts the second never sees.
TEST_P(Faults, EveryThirdIsTheThirdAndTheSixth) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    std::vector<Rule> rules{
        acting("third", RuleAction::accept, [](Rule& r) { r.match.every = 3, r.match.flags_set = kPsh; })};
    for (int i = 1; i <= 7; ++i)
      rules.push_back(
          counting("no-" + std::to_string(i), [&](Rule& r) { r.match.payload = "no " + std::to_string(i); }));
    ruleset.add(rules);
    Pair pair(family());
    for (int i = 1; i <= 7; ++i) {
      say(pair.client, "no " + std::to_string(i));
      hear(pair.server, 4);
    }
    EXPECT_EQ(hits(ruleset, "third"), 2u);
    for (int i = 1; i <= 7; ++i) EXPECT_EQ(hits(ruleset, "no-" + std::to_string(i)), i % 3 == 0 ? 0u : 1u) << i;
  });
}

TEST_P(Faults, ProbabilityIsAboutRight) {
  in_namespace([] {
    Ruleset ruleset(family(), flow(family()));
    const auto rolled = [](bool negative) {
      return [=](Rule& r) {
        scenario::Match match;
        match.probability = 0.25;
        if (negative)
          r.negated = match;
        else
          r.match = match;
        r.match.flags_set = kPsh;
      };
    };
    ruleset.add({counting("quarter", rolled(false)), counting("rest", rolled(true)),
                 counting("all", [](Rule& r) { r.match.flags_set = kPsh; })});
    Pair pair(family());
    for (int i = 0; i < 4000; ++i) {
      say(pair.client, "x");
      hear(pair.server, 1);
    }
    const auto all = static_cast<double>(hits(ruleset, "all"));
    EXPECT_GE(all, 4000);
    EXPECT_NEAR(static_cast<double>(hits(ruleset, "quarter")) / all, 0.25, 0.07);  // ten standard deviations
    EXPECT_NEAR(static_cast<double>(hits(ruleset, "rest")) / all, 0.75, 0.07);
  });
}

TEST_P(Faults, ConntrackMark) {
  in_namespace([] {
    nft("table inet marks { chain out { type filter hook output priority -100\n @ih,0,32 0x4d41524b ct mark set 7\n "
        "}\n}\n");
    Ruleset ruleset(family(), flow(family()));
    ruleset.add(
        {counting("marked",
                  [](Rule& r) { r.match.ct_mark = 7, r.match.flags_set = kPsh, r.direction = Direction::both; }),
         counting("other", [](Rule& r) {
           r.negated.emplace().ct_mark = 7, r.match.flags_set = kPsh, r.direction = Direction::both;
         })});
    Pair pair(family());
    for (const auto* text : {"one ", "MARK", "two "}) {
      say(pair.client, text);
      hear(pair.server, 4);
      say(pair.server, text);
      hear(pair.client, 4);
    }
    EXPECT_EQ(hits(ruleset, "marked"), 4u);
    EXPECT_EQ(hits(ruleset, "other"), 2u);
  });
}

TEST_P(Faults, DropsAtEveryHook) {
  for (const auto hook : {Hook::output, Hook::postrouting, Hook::prerouting, Hook::input})
    for (const auto direction : {Direction::to_server, Direction::to_client})
      in_namespace([&] {
        Ruleset ruleset(family(), flow(family()));
        ruleset.add({acting("it", RuleAction::drop, [&](Rule& r) {
          r.hook = hook, r.direction = direction, r.match.after = after_handshake();
        })});
        Pair pair(family());
        const auto& from = direction == Direction::to_server ? pair.client : pair.server;
        const auto& to = direction == Direction::to_server ? pair.server : pair.client;
        say(from, "lost");
        EXPECT_TRUE(wait_for_hits(ruleset, "it", 2));
        EXPECT_EQ(peek(to), "");
      });
}

}  // namespace
}  // namespace lab::test
