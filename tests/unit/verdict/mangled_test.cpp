// Rules that write into segments: what harms a connection, and what only looks like it.
#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

Story::Rule writing(const std::string& what, const std::string& hook = "output") {
  return {.hook = hook, .action = "", .text = "tcp dport 8080 " + what, .verdict = "continue"};
}

// The client's bytes meet `rule` twice.
Story met(const Story::Rule& rule) {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 6", {.bytes = 6}).traced("C>S PA 1:7", rule).wire("C>S PA 1:7");
  s.wait(200).traced("C>S PA 1:7", rule).wire("C>S PA 1:7");
  return s;
}

// And are never acknowledged.
Story never_acknowledged(const Story::Rule& rule) { return met(rule).recv_timeout('C', 500); }

// The server's answer never leaves, although the client had room for it.
Story never_sent(const Story::Rule& rule) {
  Story s;
  s.handshake().send('C', 6).traced("C>S PA 1:7", rule).recv('S', 6).act('S', "send 5", {.bytes = 5});
  return s.socket('S', {.timer = "probe", .not_sent = 5, .backoff = 1});
}

TEST(Mangled, ASequenceNumberRewritten) {
  auto s = never_acknowledged(writing("tcp sequence set 1")).end();
  EXPECT_VERDICT(s, "firewall/mangled", "confirmed");
  for (const auto* source : {"nft-trace", "wire", "kernel", "actors", "sockets"}) {
    auto less = never_acknowledged(writing("tcp sequence set 1")).end();
    less.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(less, "firewall/mangled");
  }
}

TEST(Mangled, LookAlikeOnlyAFieldThatTcpDoesNotReadWasWritten) {
  auto s = never_acknowledged(writing("ip dscp set cs1")).end();
  EXPECT_FALSE(s.verdict().cause == "firewall/mangled" && s.verdict().status == Status::confirmed) << told(s.verdict());
}

TEST(Mangled, LookAlikeAnotherRuleAteThem) {
  auto s = met(writing("tcp sequence set 1"));
  s.traced("C>S PA 1:7").recv_timeout('C', 500).end();
  EXPECT_FALSE(s.verdict().cause == "firewall/mangled" && s.verdict().status == Status::confirmed) << told(s.verdict());
}

TEST(Mangled, LookAlikeTheyArrivedAllTheSame) {
  auto s = met(writing("tcp sequence set 1"));
  s.wire("S>C A").recv('S', 6).recv_timeout('C', 500).end();
  EXPECT_NE(s.verdict().cause, "firewall/mangled") << told(s.verdict());
}

TEST(Mangled, AWindowRewritten) {
  auto s = never_sent(writing("tcp window set 0", "input")).recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/mangled", "confirmed");
}

// The client's FIN gets across, and is acknowledged, when it has given up.
TEST(Mangled, WhatGotAcrossAfterTheEndExcusesNothing) {
  for (const bool late : {true, false}) {
    auto s = never_sent(writing("tcp window set 0", "input"));
    if (!late) s.wait(200).wire("S>C PA 1:3").wire("C>S A");
    s.recv_timeout('C', 500).close('C').wire("C>S FA").wait(40).wire("S>C A").end();
    EXPECT_VERDICT(s, "firewall/mangled", late ? "confirmed" : "likely");
  }
}

// It is the server that the window keeps from sending: what comes from the client gets across all the while.
TEST(Mangled, AWindowRewrittenLongBeforeTheRequest) {
  const auto rule = writing("tcp window set 0", "input");
  Story s;
  s.handshake().traced("C>S A", rule).wait(200).send('C', 6).traced("C>S PA 1:7", rule).recv('S', 6);
  s.act('S', "send 5", {.bytes = 5}).socket('S', {.timer = "probe", .not_sent = 5, .backoff = 1});
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/mangled", "confirmed");
}

// What is eaten on its way out leaves the same timer and the same silence.
TEST(Mangled, LookAlikeWhatTheWindowHadRoomForWasEaten) {
  auto s = never_sent(writing("tcp window set 0", "input"));
  s.dropped("S>C PA 1:6", "IP_OUTNOROUTES").recv_timeout('C', 500).end();
  EXPECT_FALSE(s.verdict().cause == "firewall/mangled" && s.verdict().status == Status::confirmed) << told(s.verdict());
  auto blind = never_sent(writing("tcp window set 0", "input")).recv_timeout('C', 500).end();
  blind.drop_source("kernel");
  EXPECT_NE(std::string(name_of(blind.verdict().status)), "confirmed") << told(blind.verdict());
}

// The trace shows a packet as the rule left it: to a port that nobody listens on.
Story& led_astray(Story& s, const std::string& flags, std::uint32_t seq, std::uint32_t length) {
  const auto target = *evidence::parse_address("127.0.0.1:9"), source = *evidence::parse_address("127.0.0.1:45000");
  s.put(evidence::TraceHit{.family = "inet",
                           .table = "mangler",
                           .chain = "output",
                           .hook = "output",
                           .handle = 2,
                           .name = "rewrite-port",
                           .text = "tcp dport 8080 tcp dport set 9",
                           .type = "rule",
                           .verdict = "continue",
                           .source = source,
                           .target = target,
                           .flags = flags,
                           .seq = seq,
                           .ack = 900'001,
                           .length = length},
        true);
  return s.put(segment("127.0.0.1:45000", "127.0.0.1:9", flags, seq, 900'001, length));
}

TEST(Mangled, ARewrittenPortNamesItsRule) {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 6", {.bytes = 6});
  led_astray(s, "PA", 100'001, 6).recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/mangled", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "rewrite-port");
}

// Its FIN alone, when the client had given up.
TEST(Mangled, LookAlikeWhatWentAstrayAfterTheEnd) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).waiting('S', "sleep 5s", true).recv_timeout('C', 1000).close('C');
  led_astray(s, "FA", 100'007, 0).process(kServerPid, "sleeping").end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

// A rule that writes a window with room in it; the answer is on the wire, and lost behind it.
TEST(Mangled, AWindowWithRoomIsNotWhyAnAnswerWasLost) {
  const Story::Rule rule{
      .hook = "input", .action = "", .text = "tcp dport 8080 tcp window set 1000", .verdict = "continue"};
  Story s;
  s.handshake().traced("C>S A", rule).wait(200).send('C', 6).traced("C>S PA 1:7", rule).recv('S', 6);
  s.act('S', "send 5", {.bytes = 5});
  for (int i = 0; i < 3; ++i) s.wire("S>C PA 1:6").wait(200);
  s.recv_timeout('C', 500).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
}

}  // namespace
}  // namespace lab::verdict
