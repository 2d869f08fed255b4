// What typed rules become, in nft syntax, on literal values. That nft reads the same back is the kernel ring's
// business.
#include "firewall/text.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "firewall/compile.hpp"
#include "firewall/compiler.hpp"

namespace lab::firewall {
namespace {

using scenario::Direction;
using scenario::Hook;
using scenario::Rule;
using scenario::RuleAction;

const Flow kLoopback{Family::ipv4, "127.0.0.1", "127.0.0.1", 8080};
const Flow kRouted4{Family::ipv4, "10.0.2.2", "10.0.1.2", 8080};
const Flow kRouted6{Family::ipv6, "fd00:2:0:0::2", "fd00:1::2", 8080};

Rule dropping(const std::string& name) {
  Rule rule;
  rule.name = name;
  return rule;
}

// The lines of one rule, without its helpers.
std::vector<std::string> lines(const Rule& rule, const Flow& flow = kLoopback, bool trace = false) {
  std::vector<std::string> texts;
  for (const auto& line : Compiler(flow, trace).compile({rule}).lines)
    if (!line.helper) texts.push_back(to_text(line, Counters::hidden));
  return texts;
}
using Lines = std::vector<std::string>;

TEST(Text, ARuleIsPrintedAsNftPrintsIt) {
  auto rule = dropping("drop-after-handshake");
  rule.match.after = {.handshake = true};
  EXPECT_EQ(to_nft({rule}, kLoopback), R"(table inet lab {
	flags owner

	set handshake-output {
		type inet_service . inet_service
		size 65535
		flags dynamic,timeout
		timeout 5m
	}

	set opened-output {
		type inet_service . inet_service
		size 65535
		flags dynamic,timeout
		timeout 3s
	}

	chain output-before {
		type filter hook output priority filter - 1; policy accept;
		tcp dport 8080 tcp flags syn / syn,ack tcp sport . tcp dport != @opened-output update @handshake-output { tcp sport . tcp dport } update @handshake-output { tcp dport . tcp sport } counter packets 0 bytes 0 comment "lab: handshake begins"
		tcp sport 8080 tcp flags syn,ack / syn,ack update @handshake-output { tcp sport . tcp dport } update @handshake-output { tcp dport . tcp sport } counter packets 0 bytes 0 comment "lab: handshake is answered"
		tcp dport 8080 tcp flags fin,rst delete @opened-output { tcp sport . tcp dport } counter packets 0 bytes 0 comment "lab: client closes"
		tcp sport 8080 tcp flags & rst == rst delete @opened-output { tcp dport . tcp sport } counter packets 0 bytes 0 comment "lab: server aborts"
	}

	chain output {
		type filter hook output priority filter; policy accept;
		tcp dport 8080 tcp sport . tcp dport != @handshake-output meta nftrace set 1 counter packets 0 bytes 0 drop comment "drop-after-handshake"
	}

	chain output-after {
		type filter hook output priority filter + 1; policy accept;
		tcp dport 8080 tcp flags ack / syn,rst,ack tcp sport . tcp dport @handshake-output delete @handshake-output { tcp sport . tcp dport } delete @handshake-output { tcp dport . tcp sport } update @opened-output { tcp sport . tcp dport } counter packets 0 bytes 0 comment "lab: handshake is over"
		tcp sport 8080 tcp flags syn,ack / syn,ack delete @handshake-output { tcp sport . tcp dport } counter packets 0 bytes 0 comment "lab: handshake's answer is through"
	}
}
)");
}

TEST(Text, OnLoopbackThePortTellsTheDirection) {
  auto rule = dropping("it");
  EXPECT_EQ(lines(rule), Lines{"tcp dport 8080 counter drop"});
  rule.direction = Direction::to_client;
  EXPECT_EQ(lines(rule), Lines{"tcp sport 8080 counter drop"});
  rule.direction = Direction::both;
  EXPECT_EQ(lines(rule), Lines{"tcp sport . tcp dport { 8080 . 0-65535, 0-65535 . 8080 } counter drop"});
  EXPECT_EQ(lines(rule, {Family::ipv4, "0.0.0.0", "127.0.0.1", 1}),
            Lines{"tcp sport . tcp dport { 1 . 0-65535, 0-65535 . 1 } counter drop"});
}

TEST(Text, RoutedTheServersAddressIsToldToo) {
  auto rule = dropping("it");
  EXPECT_EQ(lines(rule, kRouted4), Lines{"ip daddr 10.0.2.2 tcp dport 8080 counter drop"});
  EXPECT_EQ(lines(rule, kRouted6), Lines{"ip6 daddr fd00:2::2 tcp dport 8080 counter drop"});
  rule.direction = Direction::both;
  EXPECT_EQ(lines(rule, kRouted4), Lines{"ip saddr . tcp sport . ip daddr . tcp dport { 10.0.2.2 . 8080 . 0.0.0.0/0 . "
                                         "0-65535, 0.0.0.0/0 . 0-65535 . 10.0.2.2 . 8080 } counter drop"});
}

TEST(Text, OnlyFaultsAreTraced) {
  auto rule = dropping("it");
  EXPECT_EQ(lines(rule, kLoopback, true), Lines{"tcp dport 8080 meta nftrace set 1 counter drop"});
  rule.action = RuleAction::count;
  EXPECT_EQ(lines(rule, kLoopback, true), Lines{"tcp dport 8080 counter"});
  rule.action = RuleAction::accept;
  EXPECT_EQ(lines(rule, kLoopback, true), Lines{"tcp dport 8080 counter accept"});
}

TEST(Text, CountsAreOfThePacketsOwnDirection) {
  auto rule = dropping("it");
  rule.match.after = {.packets = 2};
  EXPECT_EQ(lines(rule), (Lines{"tcp dport 8080 ct direction original ct original packets > 2 counter drop",
                                "tcp dport 8080 ct direction reply ct reply packets > 2 counter drop"}));
  rule.direction = Direction::both;
  EXPECT_EQ(lines(rule), Lines{"tcp sport . tcp dport { 8080 . 0-65535, 0-65535 . 8080 } ct packets > 2 counter drop"});
}

TEST(Text, WhatCountsComesLast) {
  auto rule = dropping("it");
  rule.match.every = 3;
  rule.match.flags_set = 8;
  rule.match.flags_unset = 2;
  rule.match.length = {scenario::Comparison::Op::more, 1000};
  rule.negated.emplace().state = {"established"};
  EXPECT_EQ(lines(rule), Lines{"tcp dport 8080 tcp flags psh / syn,psh meta length > 1000 ct state ! established "
                               "numgen inc mod 3 2 counter drop"});
}

TEST(Text, RejectsAreOfTheFlowsFamilyWhereItIsOne) {
  auto rule = dropping("it");
  rule.action = RuleAction::reject_host;
  EXPECT_EQ(lines(rule), Lines{"tcp dport 8080 counter reject with icmpx host-unreachable"});
  EXPECT_EQ(lines(rule, kRouted4), Lines{"ip daddr 10.0.2.2 tcp dport 8080 counter reject with icmp host-unreachable"});
  EXPECT_EQ(lines(rule, kRouted6),
            Lines{"ip6 daddr fd00:2::2 tcp dport 8080 counter reject with icmpv6 addr-unreachable"});
}

TEST(Text, AnIcmpAnswerQuotesASegmentOfWhomItTells) {
  auto rule = dropping("it");
  rule.match.icmp = "frag-needed";
  EXPECT_EQ(
      lines(rule),
      Lines{"icmp type destination-unreachable icmp code frag-needed @th,136,8 0x6 @th,224,16 0x1f90 counter drop"});
  EXPECT_EQ(lines(rule, kRouted6), Lines{"icmpv6 type packet-too-big @th,112,8 0x6 @th,384,16 0x1f90 counter drop"});
  rule.direction = Direction::to_client;
  EXPECT_EQ(
      lines(rule),
      Lines{"icmp type destination-unreachable icmp code frag-needed @th,136,8 0x6 @th,240,16 0x1f90 counter drop"});
}

// The second rule of a hook finds the first one's sets; what each needs for itself is numbered.
TEST(Text, SetsAreSharedOrNumbered) {
  Compiler compiler(kLoopback, false);
  auto rule = dropping("it");
  rule.match.after = {.time = std::chrono::seconds(1)};
  const auto first = compiler.compile({rule}), second = compiler.compile({rule});
  ASSERT_EQ(first.sets.size(), 3u);
  EXPECT_EQ(first.sets[2].name, "age-1");
  EXPECT_EQ(first.sets[2].timeout_ms, 1000u);
  const auto starts = std::find_if(first.lines.begin(), first.lines.end(),
                                   [](const Line& line) { return line.comment == "lab: first SYN, age-1"; });
  ASSERT_NE(starts, first.lines.end());
  EXPECT_TRUE(to_text(*starts).starts_with(
      "tcp dport 8080 tcp flags syn / syn,ack tcp sport . tcp dport != @handshake-output tcp sport . tcp dport != "
      "@opened-output update @age-1 "))
      << to_text(*starts);
  ASSERT_EQ(second.sets.size(), 1u);
  EXPECT_EQ(second.sets[0].name, "age-2");
  EXPECT_TRUE(second.chains.empty());
  Compiler other(kLoopback, false);
  other.know_set("excess-7");
  EXPECT_EQ(other.compile({rule}).sets[2].name, "age-8");
}

}  // namespace
}  // namespace lab::firewall
