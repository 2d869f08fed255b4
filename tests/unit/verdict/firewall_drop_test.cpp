// Rules and policies that ate segments.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;
const Story::Rule kDrop{};

// The output hook ate everything: handshake and silence on the wire.
Story eaten_on_the_way_out() {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .traced("C>S PA 1:13")
      .wait(200)
      .traced("C>S PA 1:13");
  s.socket('C', {.when = "change", .timer = "probe", .unacked = 0, .not_sent = 12, .backoff = 1, .pids = {kClientPid}});
  s.recv_timeout('C', 300).close('C').traced("C>S FA 13").rule(kDrop, 3);
  return s;
}

TEST(FirewallDrop, TheAnswersToKeepalivesProbes) {
  Story s;
  s.handshake().send('C', 12).recv('S', 12).send('S', 3).recv('C', 3).waiting('C', "sleep 5s").wait(1000);
  for (int probe = 0; probe < 2; ++probe) s.wire("S>C A 3").wire("C>S A").traced("C>S A", {.hook = "input"}).wait(1000);
  s.built('S', "TCP_KEEPALIVE_TIMEOUT", "ESTABLISHED").act('S', "recv 64", {.error = ETIMEDOUT, .ms = 3000});
  s.rule({.hook = "input"}, 2).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

// The client's TCP gives up over bytes that have arrived; what the server says later acknowledges them to nobody. An
// acknowledgement that had come once is no loss.
TEST(FirewallDrop, AcknowledgementsThatCameTooLate) {
  for (const bool news : {true, false}) {
    Story s;
    const auto* eaten = news ? "S>C A" : "S>C A ack=7";
    s.handshake().send('C', 6).recv('S', 6).act('C', "send 6", {.bytes = 6});
    for (int i = 0; i < 2; ++i) s.wire("C>S PA 7:13").traced(eaten, {.text = "tcp sport 8080 drop"}).wait(200);
    s.recv('S', 6).waiting('S', "sleep 1500ms").act('C', "recv 64", {.error = ETIMEDOUT, .ms = 400}).wait(700);
    s.act('S', "send 4", {.bytes = 4}).wire("S>C PA 1:5 ack=13").wire("C>S R 13").end();
    EXPECT_EQ(s.verdict().cause == "firewall/drop", news) << told(s.verdict());
    EXPECT_EQ(s.verdict().status == Status::confirmed, news) << told(s.verdict());
  }
}

TEST(FirewallDrop, OnTheWayOut) {
  auto s = eaten_on_the_way_out().end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  const auto j = s.judge();
  EXPECT_EQ(j.connections[0].closes, "none");
  EXPECT_EQ(j.connections[0].by, "nobody");
  EXPECT_EQ(j.run.culprit.name, "some-rule");
  EXPECT_EQ(j.run.culprit.handle, 4u);
  EXPECT_EQ(j.run.culprit.detail, "output, client to server");
}

TEST(FirewallDrop, OnTheWayIn) {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule)
      .wait(200)
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule);
  s.recv_timeout('C', 300).close('C').wire("C>S FA 13").rule(rule, 3).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "client FIN");
}

// The first request came and was read; a rule eats the second, half a second later.
Story second_is_eaten(const std::string& meanwhile, bool answers) {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.handshake().send('C', 12).recv('S', 12);
  if (answers) s.send('S', 3).recv('C', 3);
  s.waiting('S', meanwhile).wait(500).act('C', "send 6", {.bytes = 6});
  for (int i = 0; i < 2; ++i) s.wire("C>S PA 13:19").traced("C>S PA 13:19", rule).wait(200);
  return s.recv_timeout('C', 300).close('C').wire("C>S FA 19").rule(rule, 2).end();
}

TEST(FirewallDrop, OfAServerThatHungBefore) {
  auto hung = second_is_eaten("sleep 5s", false), wants_more = second_is_eaten("recv 64", false),
       answered = second_is_eaten("sleep 5s", true);
  EXPECT_VERDICT(hung, "firewall/drop", "likely");
  EXPECT_VERDICT(wants_more, "firewall/drop", "confirmed");
  EXPECT_VERDICT(answered, "firewall/drop", "confirmed");
}

// What the rule ate need not have mattered: acknowledgements, a FIN of one who had given up, more for one who reads
// nothing.
TEST(FirewallDrop, OfWhatWasNotMissing) {
  const Story::Rule rule{.hook = "input"};
  Story hung, unread;
  hung.handshake().send('C', 12).recv('S', 12).waiting('S', "sleep 5s");
  hung.wire("C>S A 12").traced("C>S A 12", rule).recv_timeout('C', 300).close('C');
  for (int i = 0; i < 2; ++i) hung.wire("C>S FA 13").traced("C>S FA 13", rule).wait(200);
  unread.handshake().act('S', "accept").waiting('S', "sleep 5s").send('C', 12);
  unread.wait(300).act('C', "send 6", {.bytes = 6});
  for (int i = 0; i < 2; ++i) unread.wire("C>S PA 13:19").traced("C>S PA 13:19", rule).wait(200);
  unread.recv_timeout('C', 300).close('C');
  for (auto* s : {&hung, &unread})
    EXPECT_NE(s->rule(rule, 2).end().verdict().status, Status::confirmed) << told(s->verdict());
}

TEST(FirewallDrop, TheServerGivesUpFirst) {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.handshake()
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule)
      .recv_timeout('S', 100)
      .close('S')
      .wire("S>C FA ack=1")
      .wire("C>S A 13");
  s.recv_eof('C').end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(FirewallDrop, RepliesOnly) {
  Story s;
  const Story::Rule rule{.text = "tcp sport 8080 drop"};
  s.handshake()
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("S>C A 1 ack=13", rule)
      .recv('S', 12)
      .act('S', "send 12", {.bytes = 12})
      .traced("S>C PA 1:13", rule)
      .waiting('S', "recv 64");
  s.wait(200).wire("C>S PA 1:13").traced("S>C A 13 ack=13", rule).recv_timeout('C', 300).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.verdict().culprit.detail, "output, server to client");
}

// A long answer stands still in the middle of one write: what it wrote is told only once that returns.
Story cut_off_in_the_middle_of_a_write() {
  Story s;
  const Story::Rule rule{.text = "tcp sport 8080 quota over 16 kbytes drop"};
  s.handshake().send('C', 9).recv('S', 9).wire("S>C A 1:1449").wire("C>S A").recv('C', 1448);
  s.traced("S>C A 1449:2897", rule).traced("S>C A 1449:2897", rule).rule(rule, 2);
  s.recv_timeout('C', 400).close('C').wire("C>S FA").act('S', "send 65536", {.bytes = 65536, .ago = 402}).end();
  return s;
}

TEST(FirewallDrop, InTheMiddleOfAWrite) {
  auto s = cut_off_in_the_middle_of_a_write();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  s.drop_source("nft-trace");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
}

TEST(FirewallDrop, AFinThatNeverArrives) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = "tcp flags fin drop"};
  s.handshake()
      .exchange()
      .close('C')
      .wire("C>S FA")
      .traced("C>S FA 7", rule)
      .waiting('S', "recv 64")
      .wait(200)
      .wire("C>S FA 7")
      .traced("C>S FA 7", rule)
      .rule(rule, 2)
      .end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(FirewallDrop, AChainsPolicy) {
  Story s;
  const Story::Rule rule{.hook = "input", .action = "", .text = "policy drop", .name = "", .type = "policy"};
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule)
      .recv_timeout('C', 300)
      .end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "policy of chain input");
}

TEST(FirewallDrop, WhatCameAfterTheClientGaveUpIsNoCause) {
  Story s;
  const Story::Rule rule{.text = "tcp flags fin drop"};
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .waiting('S', "sleep 5s")
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 300)
      .close('C')
      .traced("C>S FA 7", rule)
      .rule(rule, 1)
      .end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

TEST(FirewallDrop, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "sockets", "actors", "processes", "counters", "kernel"}) {
    auto s = eaten_on_the_way_out().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
  }
  auto s = eaten_on_the_way_out().end();
  s.drop_source("nft-trace");
  EXPECT_EQ(s.verdict().status, Status::unknown) << told(s.verdict());
  EXPECT_FALSE(s.verdict().next.empty());
}

TEST(FirewallDrop, TheKernelsReasonWithoutTheTrace) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .dropped("C>S PA 1:13", "NETFILTER_DROP")
      .recv_timeout('C', 300)
      .end();
  s.put(evidence::RuleState{.family = "inet",
                            .table = "lab",
                            .chain = "output",
                            .handle = 4,
                            .text = "drop",
                            .action = "drop",
                            .counted = true,
                            .packets = 1,
                            .when = "end"},
        true);
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  s.drop_source("nft-trace");
  EXPECT_EQ(s.verdict().cause, "firewall/drop");
}

TEST(FirewallDrop, IcmpThatWouldHaveMendedIt) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = "icmp type destination-unreachable drop", .icmp = true};
  s.handshake()
      .waiting('S', "recv-exactly 4000")
      .act('C', "send 4000", {.bytes = 4000})
      .wire("C>S A 1:1449")
      .traced("C>S A 1:1449", rule)
      .wait(300)
      .wire("C>S A 1:1449")
      .traced("C>S A 1:1449", rule);
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

// A handle is no line number.
TEST(FirewallDrop, ARuleWithoutANameIsCalledByItsText) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = "tcp dport 8080 counter drop", .name = ""};
  s.handshake().waiting('S', "recv 64").act('C', "send 12", {.bytes = 12});
  s.wire("C>S PA 1:13").traced("C>S PA 1:13", rule).recv_timeout('C', 300).rule(rule, 1).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_NE(s.verdict().summary.find("rule 'tcp dport 8080 counter drop' (handle 4) in "), std::string::npos)
      << s.verdict().summary;
}

}  // namespace
}  // namespace lab::verdict
