// What programs in production do that looks like something else: they refuse a hello, fork for each client, try again,
// and fail over what no segment shows.
#include <fmt/format.h>

#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

// The server has answered and closed while the client still sends: its socket aborts, and the rest of the upload meets
// nobody.
Story uploaded_behind_the_fin(const char* first, const char* state) {
  Story s;
  s.fact("sysctl", "net.ipv4.tcp_fin_timeout", "1").handshake().exchange().close('S').wire("S>C FA").wire("C>S A");
  s.wait(2000).act('C', "send 12", {.bytes = 12}).wire("C>S A 7:13").built('S', first, state).wire("S>C R 7");
  s.wire("C>S PA 13:19").built('S', "TCP_FLAGS", "LISTEN").wire("S>C R 7").act('C', "send 6", {.error = EPIPE});
  return s.counter("TcpOutRsts", 2).counter("TcpExtTCPAbortOnData", 1).end();
}

TEST(Upload, WhatFollowsAnAbortIsNoExpiry) {
  auto aborted = uploaded_behind_the_fin("TCP_ABORT_ON_DATA", "CLOSE");
  EXPECT_VERDICT(aborted, "application/closed", "confirmed");
  auto expired = uploaded_behind_the_fin("TCP_FLAGS", "LISTEN");
  EXPECT_VERDICT(expired, "kernel/socket-expired", "confirmed");
}

Story hello_answered_with(const std::string& answer, bool client_first = false) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7 head=16030100c901").wire("S>C A").recv('S', 6);
  s.act('S', "send 7", {.bytes = 7}).wire("S>C PA 1:8 head=" + answer).wire("C>S A").recv('C', 7);
  if (client_first) s.close('C').wire("C>S FA").recv_eof('S').close('S').wire("S>C FA").wire("C>S A");
  if (!client_first) s.close('S').wire("S>C FA").close('C').wire("C>S FA").wire("S>C A");
  return s.end();
}

TEST(Tls, AFatalAlertToTheHelloIsNoHealthyEnd) {
  for (const bool client_first : {false, true}) {
    auto s = hello_answered_with("15030300020246", client_first);
    EXPECT_EQ(s.verdict().cause, "application/closed") << told(s.verdict());
    EXPECT_NE(s.verdict().summary.find("fatal TLS alert"), std::string::npos) << told(s.verdict());
    EXPECT_EQ(s.judge().connections[0].by, "server");
  }
  auto s = hello_answered_with("15030300020246");
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Tls, LookAlikeAnAnswerAWarningAndHalfAnAlert) {
  for (const auto* answer : {"16030300020246", "15030300020100", "1503", "150303"}) {
    auto s = hello_answered_with(answer);
    EXPECT_VERDICT(s, "none", "confirmed");
  }
}

// The server answers and closes; the client says goodbye, or asks again, to nobody.
Story said_behind_the_fin(int bytes) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7 head=16030100c901").wire("S>C A").recv('S', 6);
  s.act('S', "send 7", {.bytes = 7}).wire("S>C PA 1:8 head=16030300").wire("C>S A").close('S').wire("S>C FA");
  s.recv('C', 7).act('C', "send 24", {.bytes = bytes}).wire(fmt::format("C>S PA 7:{}", 7 + bytes));
  s.built('S', "TCP_ABORT_ON_DATA", "CLOSE").wire("S>C R 9").close('C').counter("TcpOutRsts", 1);
  return s.exits(kClientPid, 0).end();
}

TEST(Tls, AGoodbyeThatMeetsNobodyHurtsNobody) {
  auto goodbye = said_behind_the_fin(24), request = said_behind_the_fin(90);
  EXPECT_VERDICT(goodbye, "none", "confirmed");
  EXPECT_VERDICT(request, "application/closed", "confirmed");
}

// SO_RCVTIMEO makes a read come back with EAGAIN: the program waits no longer, TCP has given nothing up.
Story limited(char who, int error) {
  auto s = with_descriptors();
  const int fd = who == 'C' ? 3 : 5;
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).process(kServerPid, "sleeping");
  s.put(evidence::Call{.pid = who == 'C' ? kClientPid : kServerPid,
                       .name = "setsockopt",
                       .args = fmt::format("{}, SOL_SOCKET, SO_RCVTIMEO, 0.3s", fd),
                       .fd = fd});
  s.act(who, "recv 64", {.error = error, .ms = 300, .fd = fd}).act(who, "close", {.fd = fd});
  s.wire(who == 'C' ? "C>S FA" : "S>C FA").wire(who == 'C' ? "S>C A" : "C>S A");
  if (who == 'S') s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).wire("C>S FA");
  return s.end();
}

TEST(OwnLimit, OfTheClientFindsNobodyAnswering) {
  auto client = limited('C', EAGAIN);
  EXPECT_VERDICT(client, "application/not-answering", "confirmed");
  EXPECT_NE(client.verdict().summary.find("in vain"), std::string::npos) << told(client.verdict());
}

TEST(OwnLimit, OfTheServerIsWhyItCloses) {
  auto server = limited('S', EAGAIN), path = limited('S', ETIMEDOUT);
  EXPECT_VERDICT(server, "application/closed", "confirmed");
  EXPECT_EQ(server.judge().connections[0].by, "server");
  EXPECT_NE(path.verdict().cause, "application/closed") << told(path.verdict());
}

// Its parent never waits for it: the end of the zombie is told when the lab ends all.
Story killed_child(bool killed) {
  auto s = forked();
  if (killed) s.signal(SIGKILL, kChildPid, kChildPid);
  s.wire("S>C FA").wire("C>S A").recv_eof('C').act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  return s.put(evidence::ProcessExit{.pid = kChildPid, .signal = SIGKILL, .by_lab = true});
}

TEST(Killed, AZombieIsNotOfTheLabsMaking) {
  auto killed = killed_child(true), swept = killed_child(false);
  EXPECT_VERDICT(killed, "application/exited", "confirmed");
  EXPECT_NE(killed.verdict().summary.find("SIGKILL"), std::string::npos) << told(killed.verdict());
  EXPECT_NE(swept.verdict().cause, "application/exited") << told(swept.verdict());
  EXPECT_NE(swept.verdict().cause, "application/killed") << told(swept.verdict());
}

// It shuts its side, asks for a reset and closes, all at once.
Story shut_and_reset(bool peer_reads) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).wait(300);
  if (peer_reads) s.act('C', "recv 64", {.fd = 3, .pending = true});
  s.act('S', "shutdown write", {.fd = 5}).wire("S>C FA");
  if (peer_reads) s.recv_eof('C');
  s.act('S', "close", {.fd = 5, .linger_reset = true}).wire("S>C RA 2").built('S', "TCP_STATE", "CLOSE");
  return s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnData", 1).end();
}

TEST(Reset, BehindAFinOfItsOwn) {
  auto cut = shut_and_reset(false), read = shut_and_reset(true);
  EXPECT_VERDICT(cut, "application/reset", "confirmed");
  EXPECT_EQ(read.verdict().cause, "application/closed") << told(read.verdict());
}

// A client whose event loop ran on, and that reset a connection on which it was owed an answer for `ms`.
Story reset_while_owed(std::int64_t ms, bool answered = false) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5});
  if (answered) s.act('S', "send 2", {.bytes = 2, .fd = 5}).wire("S>C PA 1:3").wire("C>S A");
  if (answered) s.act('C', "recv 64", {.bytes = 2, .fd = 3});
  s.wait(ms).act('C', "close", {.fd = 3, .linger_reset = true}).wire("C>S RA").built('C', "TCP_STATE", "CLOSE");
  return s.act('S', "recv 64", {.error = ECONNRESET, .fd = 5}).counter("TcpOutRsts", 1).end();
}

TEST(Reset, OfWhoWasOwedAnAnswerForLong) {
  auto owed = reset_while_owed(700), soon = reset_while_owed(50), answered = reset_while_owed(700, true);
  EXPECT_VERDICT(owed, "application/reset", "likely");
  EXPECT_VERDICT(soon, "application/reset", "confirmed");
  EXPECT_VERDICT(answered, "application/reset", "confirmed");
}

TEST(NeverTried, WhoHadNotEndedMayHaveTriedLater) {
  for (const bool ended : {true, false}) {
    Story s(Acts::calls);
    s.put(evidence::Call{.pid = kClientPid, .tid = kClientPid, .name = "openat", .args = "\"x\"", .result = 3});
    if (ended) s.exits(kClientPid, 1);
    s.end();
    EXPECT_VERDICT(s, "connect/never-tried", ended ? "confirmed" : "likely");
  }
}

TEST(Healthy, AClientThatFailedMayHaveBeenOwedMore) {
  for (const int status : {0, 18}) {
    Story s;
    s.handshake().exchange().close('S').wire("S>C FA").wire("C>S A").close('C').wire("C>S FA").wire("S>C A");
    s.exits(kClientPid, status).end();
    EXPECT_VERDICT(s, "none", status ? "likely" : "confirmed");
  }
}

// Refused until the server is up.
Story tried_until_let_in(bool same_port) {
  Story s;
  for (const auto* client : {"127.0.0.1:45001", "127.0.0.1:45002"})
    s.from(client)
        .to(same_port ? "127.0.0.1:8080" : "127.0.0.1:9000")
        .wire("C>S S 0")
        .wire("S>C RA 0")
        .act('C', "connect", {.error = ECONNREFUSED});
  s.from("127.0.0.1:45000")
      .to("127.0.0.1:8080")
      .handshake()
      .exchange()
      .close('C')
      .wire("C>S FA")
      .recv_eof('S')
      .close('S')
      .wire("S>C FA");
  return s.wire("C>S A").exits(kClientPid, 0).counter("TcpOutRsts", 2).end();
}

TEST(Run, RefusalsThatWereMadeGoodAreNoCause) {
  auto again = tried_until_let_in(true), elsewhere = tried_until_let_in(false);
  EXPECT_VERDICT(again, "none", "confirmed");
  EXPECT_NE(again.verdict().summary.find("others: 2 connect/refused"), std::string::npos) << told(again.verdict());
  EXPECT_EQ(elsewhere.verdict().cause, "connect/refused") << told(elsewhere.verdict());
}

}  // namespace
}  // namespace lab::verdict
