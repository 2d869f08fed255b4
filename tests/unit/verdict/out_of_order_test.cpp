// Closing segments that came out of their order, later than what they told of, or to nobody.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// The FIN comes long after the end of file.
Story late_fin(const char* ack, bool closes_first = true) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).wire(ack);
  if (closes_first) s.close('S');
  s.recv_eof('C').wait(20);
  if (!closes_first) s.close('S');
  return std::move(s.wire("S>C FA"));
}

TEST(OutOfOrder, TheEndOfMptcpsDataIsAnOption) {
  auto s = late_fin("S>C A mptcp").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(OutOfOrder, LookAlikeAnEndOfFileBeforeTheFinIsNotExplained) {
  auto plain = late_fin("S>C A").end();
  EXPECT_VERDICT(plain, "application/closed", "likely");
  auto before_the_call = late_fin("S>C A mptcp", false).end();
  EXPECT_VERDICT(before_the_call, "application/closed", "likely");
}

evidence::KernelEvent server_closes() {
  return {.kind = "state",
          .old_state = "ESTABLISHED",
          .state = "FIN_WAIT1",
          .source = *evidence::parse_address("127.0.0.1:8080"),
          .target = *evidence::parse_address("127.0.0.1:45000"),
          .pid = kServerPid,
          .call = "close"};
}

// The server closes; the client writes before the FIN has come, and is answered with a reset, which comes first.
Story overtaken(const char* reset = "S>C R 1", const char* fin = "S>C FA 1") {
  Story s;
  s.handshake().send('C', 12).recv('S', 12).close('S').put(server_closes());
  s.act('C', "send 6", {.bytes = 6}).wire("C>S PA 13:19").built('S', "TCP_ABORT_ON_DATA", "FIN_WAIT1").wire(reset);
  if (fin) s.wire(fin);
  s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1);
  return s;
}

TEST(OutOfOrder, AResetMayOvertakeTheFin) {
  auto s = overtaken().end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "server FIN");
}

TEST(OutOfOrder, AResetThatOvertookNothingIsNoFin) {
  auto none = overtaken("S>C R 1", nullptr).end();
  EXPECT_EQ(none.judge().connections[0].closes, "server RST");
  auto later = overtaken("S>C R 1", "S>C FA 0").end();  // a number before that of the reset: another's
  EXPECT_EQ(later.judge().connections[0].closes, "server RST");
  auto own = overtaken("S>C RA 1").end();  // it acknowledges: the socket's own, no answer
  EXPECT_EQ(own.judge().connections[0].closes, "server RST");
}

TEST(OutOfOrder, AResetBeforeTheServerClosedOvertookNothing) {
  Story s;
  s.handshake().send('C', 12).recv('S', 12).built('S', "TCP_INVALID_SYN", "ESTABLISHED").wire("S>C R 1");
  s.close('S').put(server_closes()).wire("S>C FA 1").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_EQ(s.judge().connections[0].closes, "server RST");
}

TEST(OutOfOrder, AFirewallsResetOvertookNothing) {
  Story s;
  const Story::Rule rule{.action = "reject", .text = "tcp dport 8080 reject with tcp reset"};
  s.handshake().send('C', 12).recv('S', 12).close('S').put(server_closes()).act('C', "send 6", {.bytes = 6});
  s.traced("C>S PA 13:19", rule).wire("S>C R 1").wire("S>C FA 1").recv_fails('C', ECONNRESET).rule(rule, 1);
  s.counter("TcpOutRsts", 0).end();
  EXPECT_EQ(s.judge().connections[0].closes, "firewall RST");
  EXPECT_VERDICT(s, "firewall/reject-reset", "confirmed");
}

TEST(OutOfOrder, AResetThatOvertookTheFinWithEventsMissing) {
  for (const auto* source : {"wire", "kernel", "counters", "actors", "sockets"}) {
    auto s = overtaken().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/closed");
  }
}

// A forged closing segment that a rule eats on its way in; both sockets are seen alive, and the talk goes on.
Story eaten(const char* segment, const char* flag) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = std::string("tcp sport 8080 tcp flags ") + flag + " drop"};
  s.handshake().exchange().traced(segment, rule).wire(segment).wait(100);
  return std::move(
      s.socket('C', {.when = "change", .pids = {kClientPid}}).socket('S', {.when = "change", .pids = {kServerPid}}));
}

TEST(Outlived, AClosingSegmentThatReachedNobody) {
  for (const auto& [segment, flag] : {std::pair{"S>C R 6", "rst"}, std::pair{"S>C FA 6", "fin"}}) {
    auto s = eaten(segment, flag);
    s.send('C', 6).recv('S', 6).waiting('S', "sleep 5s").recv_timeout('C', 900);
    s.process(kServerPid, "sleeping").socket('C').socket('S', {.pids = {kServerPid}}).end();
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  }
}

TEST(Outlived, WhatEndedItLater) {
  for (const auto& [segment, flag] : {std::pair{"S>C R 6", "rst"}, std::pair{"S>C FA 6", "fin"}}) {
    auto reset = eaten(segment, flag);
    reset.send('C', 6).recv('S', 6).act('S', "reset", {.linger_reset = true}).built('S', "TCP_STATE", "CLOSE");
    reset.wire("S>C RA 6").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
    EXPECT_VERDICT(reset, "application/reset", "confirmed");
    auto closed = eaten(segment, flag);
    closed.send('C', 6).recv('S', 6).close('S').wire("S>C FA 6").wire("C>S A").recv_eof('C').end();
    EXPECT_VERDICT(closed, "application/closed", "confirmed");
    EXPECT_EQ(closed.judge().connections[0].closes, "server FIN");
  }
}

// The server's own, which had closed with bytes unread: that a rule ate it makes it no other's.
TEST(Outlived, LookAlikeAResetOfTheServersOwn) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = "tcp sport 8080 tcp flags rst drop"};
  s.handshake().send('C', 6).close('S').built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED").traced("S>C RA", rule);
  s.wire("S>C RA").wait(100).socket('C', {.when = "change", .pids = {kClientPid}}).recv_timeout('C', 900);
  s.socket('C', {.pids = {kClientPid}}).counter("TcpOutRsts", 1).end();
  EXPECT_EQ(s.judge().connections[0].closes, "server RST");
}

// One that is seen no more may have taken it.
TEST(Outlived, LookAlikeOfWhomNothingWasSeenSince) {
  Story s;
  s.handshake().exchange().waiting('S', "recv 64").wire("S>C R 6").wait(5);
  s.socket('S', {.when = "change", .pids = {kServerPid}}).recv_fails('C', ECONNRESET).end();
  EXPECT_VERDICT(s, "network/injected-reset", "confirmed");
}

}  // namespace
}  // namespace lab::verdict
