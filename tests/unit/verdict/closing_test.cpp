// Ends that closed: who did, how, and why.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

// The client asks, the server has closed, the client reads end of file; its next write would be reset.
Story closed_after_reading(Acts acts = Acts::steps) {
  Story s(acts);
  s.handshake().send('C', 6).recv('S', 6).close('S').wire("S>C FA").recv_eof('C').close('C').wire("C>S FA").wire(
      "S>C A");
  return s;
}

TEST(Closed, ServerClosesAfterReading) {
  auto s = closed_after_reading().exits(kServerPid, 0).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 1u);
  EXPECT_EQ(j.connections[0].by, "server");
  EXPECT_EQ(j.connections[0].closes, "server FIN");
  EXPECT_NE(j.run.summary.find("after reading 6 of 6 bytes"), std::string::npos) << j.run.summary;
}

TEST(Closed, CallsOfAProgramTellTheSame) {
  auto s = closed_after_reading(Acts::calls).exits(kServerPid, 0).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Closed, WireAloneIsLikelyAtMost) {
  Story s(Acts::none);
  s.off("syscalls").handshake().send('C', 6).wire("S>C FA").wire("C>S A").end();
  EXPECT_VERDICT(s, "application/closed", "likely");
}

TEST(Closed, WithoutTheWireTheCallTells) {
  auto s = closed_after_reading().end();
  s.drop_source("wire");
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "unknown");
}

TEST(Closed, ResetAfterFinIsTheSameFamily) {
  Story s;
  s.handshake()
      .close('S')
      .wire("S>C FA")
      .wire("C>S A")
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .wire("S>C R 2");
  s.built('S', "TCP_ABORT_ON_DATA", "FIN_WAIT2").recv_eof('C').counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "server FIN");
}

TEST(Closed, TlsIsSaid) {
  Story s;
  s.handshake()
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7 head=160301020001")
      .wire("S>C A")
      .recv('S', 6)
      .close('S')
      .wire("S>C FA")
      .recv_eof('C')
      .end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_NE(s.verdict().summary.find("TLS"), std::string::npos);
}

TEST(Closed, ClientThatClosesBeforeTheReplyIsNamed) {
  Story s;
  s.handshake()
      .send('C', 6)
      .close('C')
      .wire("C>S FA")
      .wire("S>C A")
      .recv('S', 6)
      .act('S', "send 5", {.bytes = 5})
      .wire("S>C PA 1:6")
      .wire("C>S R 8");
  s.built('C', "TCP_ABORT_ON_DATA", "FIN_WAIT2").act('S', "send 5", {.error = EPIPE}).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "client");
}

Story closed_unread() {
  Story s;
  s.handshake()
      .send('C', 12)
      .close('S')
      .built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED")
      .wire("S>C RA")
      .recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1);
  return s;
}

TEST(ClosedUnread, Typical) {
  auto s = closed_unread().end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "server RST");
  EXPECT_NE(s.verdict().summary.find("12 bytes unread"), std::string::npos) << s.verdict().summary;
}

TEST(ClosedUnread, LookAlikeEverythingWasReadAndAResetAsked) {
  Story s;
  s.handshake()
      .send('C', 12)
      .recv('S', 12)
      .act('S', "reset", {.linger_reset = true})
      .built('S', "TCP_STATE", "CLOSE")
      .wire("S>C RA")
      .recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnData", 1).end();
  EXPECT_VERDICT(s, "application/reset", "confirmed");
}

TEST(ClosedUnread, WithEventsMissing) {
  for (const auto* source : {"wire", "kernel", "counters", "actors", "sockets"}) {
    auto s = closed_unread().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/closed-unread");
  }
}

TEST(Reset, WithEventsMissing) {
  for (const auto* source : {"wire", "kernel", "counters", "actors"}) {
    Story s;
    s.handshake()
        .send('C', 12)
        .recv('S', 12)
        .act('S', "reset", {.linger_reset = true})
        .built('S', "TCP_STATE", "CLOSE")
        .wire("S>C RA")
        .recv_fails('C', ECONNRESET);
    s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnData", 1).end().drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/reset");
  }
}

TEST(BackendRefused, Typical) {
  Story s;
  s.started(kProxyPid, "proxy");
  s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect");
  s.put(evidence::StepDone{.role = "proxy",
                           .pid = kProxyPid,
                           .tid = kProxyPid,
                           .verb = "accept",
                           .step = "accept",
                           .call = "accept4",
                           .outcome = "ok",
                           .start_ns = 1,
                           .end_ns = 2,
                           .local = *evidence::parse_address("127.0.0.1:8080"),
                           .peer = *evidence::parse_address("127.0.0.1:45000")});
  s.send('C', 6);
  s.from("127.0.0.1:45001")
      .to("127.0.0.1:9999")
      .wire("C>S S 0")
      .wire("S>C RA 0")
      .act('P', "connect", {.error = ECONNREFUSED});
  s.from("127.0.0.1:45000").to("127.0.0.1:8080");
  s.put(evidence::StepDone{.role = "proxy",
                           .pid = kProxyPid,
                           .tid = kProxyPid,
                           .verb = "recv",
                           .step = "recv 64",
                           .call = "recvfrom",
                           .outcome = "6 bytes",
                           .bytes = 6,
                           .start_ns = 1,
                           .end_ns = 2,
                           .local = *evidence::parse_address("127.0.0.1:8080"),
                           .peer = *evidence::parse_address("127.0.0.1:45000")});
  s.wire("S>C FA").exits(kProxyPid, 0).recv_eof('C').counter("TcpOutRsts", 1).end();
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 2u);
  EXPECT_EQ(j.connections[0].verdict.cause, "application/backend-refused") << told(j.connections[0].verdict);
  EXPECT_EQ(j.connections[0].verdict.status, Status::confirmed);
  EXPECT_EQ(j.connections[0].by, "proxy");
  EXPECT_EQ(j.connections[1].verdict.cause, "connect/refused");
}

// man connect: to AF_UNSPEC it dissolves the association; the socket is without a peer when the call is told.
TEST(Reset, AConnectToNoAddress) {
  Story s(Acts::calls);
  s.handshake()
      .act('C', "connect", {.fd = 3})
      .act('C', "send 2", {.bytes = 2, .fd = 3})
      .wire("C>S PA 1:3")
      .wire("S>C A");
  s.recv('S', 2).act('S', "recv 64", {.fd = 4, .pending = true}).wire("C>S RA");
  s.put(evidence::Call{.pid = kClientPid,
                       .tid = kClientPid,
                       .name = "connect",
                       .args = "3, AF_UNSPEC",
                       .fd = 3,
                       .local = *evidence::parse_address("0.0.0.0:45000"),
                       .linger_reset = true});
  s.recv_fails('S', ECONNRESET).exits(kClientPid, 0).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/reset", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "client");
}

}  // namespace
}  // namespace lab::verdict
