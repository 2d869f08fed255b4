// What is refused before a kernel is asked: each on its own, with its place; and what must not be.
#include <gtest/gtest.h>

#include <functional>

#include "firewall/compiler.hpp"

namespace lab::firewall {
namespace {

using scenario::Comparison;
using scenario::Hook;
using scenario::Rule;
using scenario::RuleAction;

std::string refused(const std::function<void(Rule&)>& change) {
  Rule rule;
  rule.name = "it";
  rule.place = {"x.toml", 7, 3};
  change(rule);
  const auto refusals = refuse({rule});
  if (refusals.empty()) return "";
  EXPECT_EQ(refusals[0].place.line, 7u);
  EXPECT_EQ(refusals.size(), 1u);
  return refusals[0].message;
}

TEST(Refuse, RejectAtPostrouting) {
  for (const auto action : {RuleAction::reject_tcp_reset, RuleAction::reject_port, RuleAction::reject_host,
                            RuleAction::reject_net, RuleAction::reject_admin}) {
    EXPECT_EQ(refused([&](Rule& r) { r.hook = Hook::postrouting, r.action = action; }),
              "rule 'it': the kernel can't reject at postrouting");
    for (const auto hook : {Hook::prerouting, Hook::input, Hook::forward, Hook::output})
      EXPECT_EQ(refused([&](Rule& r) { r.hook = hook, r.action = action; }), "");
  }
  EXPECT_EQ(refused([](Rule& r) { r.hook = Hook::postrouting; }), "");
}

TEST(Refuse, APayloadThatIsTooLong) {
  EXPECT_EQ(refused([](Rule& r) { r.match.payload = std::string(16, 'x'); }), "");
  EXPECT_EQ(refused([](Rule& r) { r.match.payload = std::string(17, 'x'); }),
            "rule 'it': payload: 17 bytes; the kernel compares at most 16 in one match");
  EXPECT_NE(refused([](Rule& r) { r.negated.emplace().payload = std::string(64, 'x'); }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.payload = ""; }), "");
}

TEST(Refuse, NamesThatNoCommentHolds) {
  EXPECT_EQ(refused([](Rule& r) { r.name = std::string(127, 'x'); }), "");
  EXPECT_NE(refused([](Rule& r) { r.name = std::string(128, 'x'); }), "");
  EXPECT_NE(refused([](Rule& r) { r.name = "say \"hi\""; }), "");
  EXPECT_NE(refused([](Rule& r) { r.name = "two\nlines"; }), "");
  EXPECT_NE(refused([](Rule& r) { r.name = "lab: mine"; }), "");
}

TEST(Refuse, NumbersThatMeanNothing) {
  EXPECT_NE(refused([](Rule& r) { r.match.every = 0; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.every = 1ull << 32; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.rate = {0, 1}; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.rate = {1, 7}; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.probability = 0; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.probability = 1e-9; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.probability = 1.5; }), "");
  EXPECT_EQ(refused([](Rule& r) { r.match.probability = 1; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.length = {Comparison::Op::more, 1ull << 32}; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.connections = {Comparison::Op::at_least, 0}; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.connections = {Comparison::Op::less, 0}; }), "");
  EXPECT_EQ(refused([](Rule& r) { r.match.connections = {Comparison::Op::more, 0}; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.after = {.time = std::chrono::microseconds(10)}; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.flags_set = 3, r.match.flags_unset = 1; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.state = {"closed"}; }), "");
}

TEST(Refuse, WhatAnIcmpAnswerHasNot) {
  const auto icmp = [](const std::function<void(Rule&)>& change) {
    return refused([&](Rule& r) { r.match.icmp = "frag-needed", change(r); });
  };
  EXPECT_EQ(icmp([](Rule&) {}), "");
  EXPECT_EQ(icmp([](Rule& r) { r.match.after = {.packets = 3}; }), "");
  EXPECT_NE(icmp([](Rule& r) { r.match.after = {.handshake = true}; }), "");
  EXPECT_NE(icmp([](Rule& r) { r.match.flags_set = 1; }), "");
  EXPECT_NE(icmp([](Rule& r) { r.match.payload = "x"; }), "");
  EXPECT_NE(icmp([](Rule& r) { r.match.connections = {Comparison::Op::more, 1}; }), "");
  EXPECT_NE(icmp([](Rule& r) { r.action = RuleAction::reject_tcp_reset; }), "");
  EXPECT_NE(refused([](Rule& r) { r.match.icmp = "echo"; }), "");
}

TEST(Refuse, SaysEverythingInOneGo) {
  Rule rule;
  rule.name = "it";
  rule.hook = Hook::postrouting;
  rule.action = RuleAction::reject_port;
  rule.match.payload = std::string(20, 'x');
  rule.match.every = 0;
  EXPECT_EQ(refuse({rule, rule}).size(), 6u);
}

}  // namespace
}  // namespace lab::firewall
