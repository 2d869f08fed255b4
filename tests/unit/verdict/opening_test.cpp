// When the server's end was opened: with the handshake, when the client gave up, or nobody knows.
#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

TEST(NotAccepting, DeferredAcceptWithASilentClient) {
  Story s;
  s.listener("127.0.0.1:8080", 0, 16, {kServerPid}, "defer-accept").waiting('S', "accept").connected();
  s.wait(200)
      .wire("S>C SA 0")
      .wire("C>S A")
      .socket('S', {.state = "SYN_RECV", .inode = 0})
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "application/not-accepting", "confirmed");
}

// Its FIN is what opens the server's end: that a look then meets it in the listen queue says nothing about the wait.
TEST(NotAccepting, WhatOpensOnlyWhenTheClientGivesUpWasNotWaitingInTheQueue) {
  for (const bool too_late : {true, false}) {
    Story s;
    s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "accept").connected();
    s.wait(200).socket('S', {.state = "SYN_RECV", .inode = 0}).process(kServerPid, "sleeping");
    if (!too_late) s.socket('S', {.state = "ESTABLISHED", .inode = 0}).recv_timeout('C', 500);
    if (too_late) s.recv_timeout('C', 500);
    s.act('C', "close").wire("C>S FA").listener("127.0.0.1:8080", 1, 16, {kServerPid});
    s.socket('S', {.state = "CLOSE_WAIT", .inode = 0}).act('S', "accept").end();
    const auto verdict = s.verdict();
    EXPECT_EQ(verdict.cause, "application/not-accepting");
    const bool deferred = verdict.summary.find("defers accept") != std::string::npos;
    EXPECT_EQ(deferred, too_late) << told(verdict);
    EXPECT_EQ(std::string(name_of(verdict.status)), too_late ? "likely" : "confirmed") << told(verdict);
  }
}

// What the server does behind that, and what the client acknowledges of it, changes nothing; nor do looks alone, where
// the last ACK was not seen.
TEST(NotAccepting, WhatTheServerDoesBehindThatOpensNothingEarlier) {
  for (const auto* without : {"", "wire"})
    for (const int overflows : {0, 1}) {
      Story s;
      s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "accept").connected();
      s.wait(200).socket('S', {.state = "SYN_RECV", .inode = 0}).process(kServerPid, "sleeping").recv_timeout('C', 500);
      s.act('C', "close").wire("C>S FA").socket('S', {.state = "CLOSE_WAIT", .inode = 0}).act('S', "accept");
      s.act('S', "close").wire("S>C FA").wire("C>S A").counter("TcpExtListenOverflows", overflows).end();
      s.drop_source(without);
      const auto verdict = s.verdict();
      EXPECT_NE(std::string(name_of(verdict.status)), "confirmed") << without << overflows << told(verdict);
      EXPECT_EQ(verdict.summary.find("waits in the listen queue"), std::string::npos) << told(verdict);
    }
}

// A look that met the handshake itself says nothing about the wait behind it.
TEST(NotAccepting, ALookInTheMiddleOfTheHandshakeIsNoDeferral) {
  Story s;
  s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "wait never").wire("C>S S").wire("S>C SA");
  s.socket('S', {.state = "SYN_RECV", .inode = 0}).wire("C>S A").act('C', "connect");
  s.process(kServerPid, "sleeping").recv_timeout('C', 100);
  s.act('C', "close").wire("C>S FA").wire("S>C A").socket('S', {.state = "CLOSE_WAIT", .inode = 0}).end();
  EXPECT_VERDICT(s, "application/not-accepting", "confirmed");
  EXPECT_EQ(s.verdict().summary.find("defers"), std::string::npos) << told(s.verdict());
}

// Nor that it was ever open.
TEST(NotAccepting, ALookInTheMiddleOfTheHandshakeAlone) {
  Story s;
  s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "wait never").wire("C>S S").wire("S>C SA");
  s.socket('S', {.state = "SYN_RECV", .inode = 0}).wire("C>S A").act('C', "connect");
  s.process(kServerPid, "sleeping").recv_timeout('C', 100).end();
  EXPECT_VERDICT(s, "unknown", "unknown");
}

// Nobody saw the server's end, and its client was silent: whether the listener defers accept is not known.
TEST(NotAccepting, ASilentClientOfAnEndThatNobodySaw) {
  for (const bool silent : {true, false}) {
    Story s;
    s.waiting('S', "wait never").connected();
    if (!silent) s.act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A");
    s.process(kServerPid, "sleeping").recv_timeout('C', 500).end();
    EXPECT_VERDICT(s, "application/not-accepting", silent ? "likely" : "confirmed");
  }
}

// The kernel tells the time: no look needs to have met it.
TEST(NotAccepting, TheKernelTellsWhenItWasOpened) {
  for (const bool too_late : {true, false}) {
    const evidence::KernelEvent opens{.kind = "state",
                                      .old_state = "SYN_RECV",
                                      .state = "ESTABLISHED",
                                      .source = *evidence::parse_address("127.0.0.1:8080"),
                                      .target = *evidence::parse_address("127.0.0.1:45000")};
    Story s;
    s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "accept").connected();
    if (!too_late) s.put(opens);
    s.recv_timeout('C', 15).act('C', "close").wire("C>S FA");
    if (too_late) s.put(opens);
    s.listener("127.0.0.1:8080", 1, 16, {kServerPid}).socket('S', {.state = "CLOSE_WAIT", .inode = 0});
    s.act('S', "accept").end();
    EXPECT_EQ(s.verdict().cause, "application/not-accepting");
    EXPECT_EQ(s.verdict().summary.find("defers") != std::string::npos, too_late) << told(s.verdict());
  }
}

// A look is told by when it was asked: that it met CLOSE_WAIT, its end was opened by the FIN that came meanwhile.
TEST(NotAccepting, ALookThatMetTheFinWasAskedBefore) {
  Story s;
  s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "accept").connected().wait(200);
  s.socket('S', {.state = "SYN_RECV", .inode = 0}).process(kServerPid, "sleeping");
  s.wait(199).socket('S', {.state = "CLOSE_WAIT", .inode = 0});
  s.act('C', "recv 64", {.ms = 1, .ago = 400, .outcome = "timeout"}).act('C', "close").wire("C>S FA");
  s.act('S', "accept").end();
  EXPECT_VERDICT(s, "application/not-accepting", "likely");
  EXPECT_NE(s.verdict().summary.find("defers"), std::string::npos) << told(s.verdict());
}

}  // namespace
}  // namespace lab::verdict
