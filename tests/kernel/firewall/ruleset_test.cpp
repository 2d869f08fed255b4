// Ruleset as the owner of its table: atomic, named errors, gone with its socket.
#include <sys/wait.h>
#include <unistd.h>

#include <limits>

#include "firewall/whole.hpp"
#include "place.hpp"
#include "rules.hpp"
#include "system/error.hpp"
#include "wire.hpp"

namespace lab::test {
namespace {

using firewall::Held;
using firewall::Ruleset;

constexpr auto kFamily = Family::ipv4;

std::string refusal(const std::function<void()>& act) {
  try {
    act();
  } catch (const sys::LabError& error) {
    return error.what();
  }
  return "nothing was refused";
}

// The kernel finds that count and burst together overflow (nft_limit_init); refuse() doesn't look at that.
Rule bad_for_the_kernel(const std::string& name, std::uint32_t line) {
  return counting(name, [&](Rule& r) {
    r.match.rate = {std::numeric_limits<std::uint64_t>::max(), 1}, r.place.line = line;
  });
}

std::vector<Held> named(const Ruleset& ruleset, const std::string& name) {
  std::vector<Held> some;
  for (auto& held : ruleset.held())
    if (held.name == name) some.push_back(held);
  return some;
}

TEST(Ruleset, GoesWithItsSocketAndSurvivesAFlush) {
  in_namespace([] {
    {
      Ruleset ruleset(kFamily, flow(kFamily));
      ruleset.add({counting("it")});
      EXPECT_EQ(output_of("nft flush ruleset"), "");
      EXPECT_NE(listed().find("comment \"it\""), std::string::npos);
      EXPECT_NE(output_of("nft add rule inet lab output drop"), "") << "another may not change it";
      EXPECT_TRUE(firewall::load("flush ruleset\n", flow(kFamily), "x.nft").ok);
      EXPECT_EQ(named(ruleset, "it").size(), 1u);
    }
    EXPECT_EQ(listed(), "");
  });
}

TEST(Ruleset, HeldSaysWhereAndWhatARuleIs) {
  in_namespace([] {
    Ruleset ruleset(kFamily, flow(kFamily));
    ruleset.add({counting(
        "it", [](Rule& r) { r.match.after = after_handshake(), r.hook = Hook::input, r.action = RuleAction::drop; })});
    const auto it = named(ruleset, "it");
    ASSERT_EQ(it.size(), 1u);
    EXPECT_EQ(it[0].family, "inet");
    EXPECT_EQ(it[0].table, "lab");
    EXPECT_EQ(it[0].chain, "input");
    EXPECT_EQ(it[0].hook, "input");
    EXPECT_EQ(it[0].action, "drop");
    EXPECT_EQ(it[0].place, "rules/test.toml:3");
    EXPECT_FALSE(it[0].helper);
    EXPECT_EQ(
        it[0].text,
        "tcp dport 8080 tcp sport . tcp dport != @handshake-input meta nftrace set 1 counter drop comment \"it\"");
    EXPECT_NE(output_of("nft -s -a list table inet lab").find(it[0].text + " # handle " + std::to_string(it[0].handle)),
              std::string::npos);
    std::size_t helpers = 0;
    for (const auto& held : ruleset.held()) helpers += held.helper;
    EXPECT_EQ(helpers, 6u);
  });
}

TEST(Ruleset, HeldKnowsWholeRulesetsToo) {
  in_namespace([] {
    const auto loaded = firewall::load(
        "table ip mine {\n chain in {\n  type filter hook input priority 0; policy drop\n  tcp dport $server_port "
        "counter accept comment \"web\"\n  ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, "
        "10.0.0.7 } reject\n  jump other\n }\n chain other {\n }\n}\n",
        flow(kFamily), "mine.nft");
    EXPECT_TRUE(loaded.ok) << loaded.messages;
    Ruleset ruleset(kFamily, flow(kFamily));
    ruleset.add({counting("it")});
    const auto web = named(ruleset, "web");
    ASSERT_EQ(web.size(), 1u);
    EXPECT_EQ(web[0].text, "tcp dport 8080 counter accept comment \"web\"");
    EXPECT_EQ(web[0].hook, "input");
    EXPECT_EQ(web[0].action, "accept");
    std::vector<std::string> others;
    for (const auto& held : ruleset.held())
      if (held.table == "mine" && held.name.empty()) others.push_back(held.action + ": " + held.text);
    EXPECT_EQ(others,
              (std::vector<std::string>{
                  "reject: ip saddr { 10.0.0.1, 10.0.0.2, 10.0.0.3, 10.0.0.4, 10.0.0.5, 10.0.0.6, 10.0.0.7 } reject",
                  "jump: jump other"}));
  });
}

TEST(Ruleset, RemoveTakesTheHelpersWithIt) {
  in_namespace([] {
    Ruleset ruleset(kFamily, flow(kFamily));
    ruleset.add({counting("stays")});
    const auto before = listed();
    ruleset.add({counting("goes", [](Rule& r) { r.match.connections = {Comparison::Op::more, 2}; })});
    EXPECT_NE(listed(), before);
    ruleset.remove("goes");
    EXPECT_TRUE(named(ruleset, "goes").empty());
    EXPECT_EQ(listed().find("excess"), std::string::npos);
    EXPECT_EQ(refusal([&] { ruleset.remove("goes"); }), "no rule 'goes' is in force");
    ruleset.add({counting(
        "goes", [](Rule& r) { r.match.after = after_time(std::chrono::seconds(9)), r.direction = Direction::both; })});
    ruleset.remove("goes");
    EXPECT_EQ(listed().find("age"), std::string::npos);
    EXPECT_EQ(named(ruleset, "stays").size(), 1u);
  });
}

TEST(Ruleset, OneBadRuleIsNamedAndNothingIsLoaded) {
  in_namespace([] {
    Ruleset ruleset(kFamily, flow(kFamily));
    std::vector<Rule> rules;
    for (int i = 0; i < 9; ++i) rules.push_back(counting("good-" + std::to_string(i)));
    rules.insert(rules.begin() + 4, bad_for_the_kernel("bad", 17));
    EXPECT_EQ(
        refusal([&] { ruleset.add(rules); }),
        "rules/test.toml:17: rule 'bad': kernel: Value too large for defined data type (at its expression 'limit')");
    EXPECT_EQ(listed(), "");
    ruleset.add({counting("good")});
    rules[2] = bad_for_the_kernel("worse", 5);
    EXPECT_EQ(
        refusal([&] { ruleset.add(rules); }),
        "rules/test.toml:5: rule 'worse': kernel: Value too large for defined data type (at its expression 'limit')\n"
        "rules/test.toml:17: rule 'bad': kernel: Value too large for defined data type (at its expression 'limit')");
    std::size_t rules_held = ruleset.held().size();
    EXPECT_EQ(rules_held, 1u);
  });
}

TEST(Ruleset, WhatNoKernelTakesIsSaidWithItsPlace) {
  in_namespace([] {
    Ruleset ruleset(kFamily, flow(kFamily));
    const auto said = refusal([&] {
      ruleset.add({counting("late", [](Rule& r) { r.hook = Hook::postrouting, r.action = RuleAction::reject_port; }),
                   counting("long", [](Rule& r) { r.match.payload = std::string(64, 'x'), r.place.line = 9; })});
    });
    EXPECT_NE(said.find("rules/test.toml:3: rule 'late': the kernel can't reject at postrouting"), std::string::npos)
        << said;
    EXPECT_NE(said.find("rules/test.toml:9: rule 'long': payload: 64 bytes; the kernel compares at most 16"),
              std::string::npos)
        << said;
  });
}

// What refuse() says is what the kernel would say: the same as nft gets to hear.
TEST(Ruleset, TheKernelRefusesThemIndeed) {
  in_namespace([] {
    const auto tried = [](const std::string& hook, const std::string& rule) {
      return output_of("nft -f - <<'END'\ntable inet x {\n chain " + hook + " {\n type filter hook " + hook +
                       " priority 0\n tcp dport 1 " + rule + "\n }\n}\nEND\n");
    };
    EXPECT_NE(tried("postrouting", "reject with tcp reset"), "");
    EXPECT_NE(tried("postrouting", "reject with icmpx port-unreachable"), "");
    EXPECT_NE(tried("output", "@ih,0,136 0x" + std::string(34, '1')), "");
    EXPECT_EQ(tried("output", "@ih,0,128 0x" + std::string(32, '1')), "");
    for (const auto* hook : {"prerouting", "input", "forward", "output"})
      EXPECT_EQ(tried(hook, "reject with tcp reset"), "") << hook;
  });
}

TEST(Ruleset, ATableOfTheSameNameIsTheRulesetsMistake) {
  in_namespace([] {
    nft("table inet lab {\n chain x {\n }\n}\n");
    Ruleset ruleset(kFamily, flow(kFamily));
    EXPECT_NE(refusal([&] { ruleset.add({counting("it")}); }).find("may not have a table of this name"),
              std::string::npos);
  });
}

// More than one message of the socket holds: what is there is there at once, or not at all.
TEST(Ruleset, TenThousandRulesAtOnce) {
  in_namespace([] {
    Ruleset ruleset(kFamily, flow(kFamily));
    std::vector<Rule> rules;
    for (int i = 0; i < 10'000; ++i)
      rules.push_back(counting("rule-" + std::to_string(i), [&](Rule& r) { r.match.after = after_packets(2); }));
    rules[9'990] = bad_for_the_kernel("bad", 44);
    EXPECT_EQ(
        refusal([&] { ruleset.add(rules); }),
        "rules/test.toml:44: rule 'bad': kernel: Value too large for defined data type (at its expression 'limit')");
    EXPECT_EQ(listed(), "");
    rules[9'990] = counting("good");
    ruleset.add(rules);
    EXPECT_EQ(ruleset.held().size(), 19'999u);
    EXPECT_EQ(named(ruleset, std::string(firewall::kHelper) + "rules are being loaded").size(), 0u);
    // To a table that is at work the same is added in pieces, and taken back where one of them fails.
    rules[9'990] = bad_for_the_kernel("bad", 44);
    EXPECT_NE(refusal([&] { ruleset.add(rules); }).find("rule 'bad'"), std::string::npos);
    EXPECT_EQ(ruleset.held().size(), 19'999u);
    talk(kFamily);
    EXPECT_GT(hits(ruleset, "good"), 4u);
    EXPECT_GT(hits(ruleset, "rule-9999"), 2u);
  });
}

// An operator adds from its own process, through the socket that it inherited.
TEST(Ruleset, AChildMayAddAndTheParentKnows) {
  in_namespace([] {
    Ruleset ruleset(kFamily, flow(kFamily));
    ruleset.add({counting("first", [](Rule& r) { r.match.after = after_time(std::chrono::seconds(9)); })});
    std::fflush(nullptr);
    const auto child = sys::check(::fork(), "fork");
    if (child == 0) {
      try {
        ruleset.add({counting("second", [](Rule& r) { r.match.after = after_time(std::chrono::seconds(8)); })});
        ::_exit(0);
      } catch (const std::exception&) {
        ::_exit(1);
      }
    }
    int status = 0;
    sys::check(::waitpid(child, &status, 0), "waitpid");
    EXPECT_EQ(status, 0);
    const auto second = named(ruleset, "second");
    ASSERT_EQ(second.size(), 1u);
    EXPECT_EQ(second[0].text, "tcp dport 8080 tcp sport . tcp dport != @age-2 counter comment \"second\"");
    ruleset.add({counting("third", [](Rule& r) { r.match.after = after_time(std::chrono::seconds(7)); })});
    EXPECT_NE(named(ruleset, "third").at(0).text.find("@age-3"), std::string::npos);
    ruleset.remove("second");
    EXPECT_EQ(listed().find("age-2"), std::string::npos);
    EXPECT_NE(listed().find("age-1"), std::string::npos);
  });
}

}  // namespace
}  // namespace lab::test
