// What programs in production do that looks like something else: they refuse a hello, fork for each client, hold their
// backend's connection for long, try again, and fail over what no segment shows.
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

TEST(Tls, LookAlikeAnAnswerAndAWarning) {
  for (const auto* answer : {"16030300020246", "15030300020100"}) {
    auto s = hello_answered_with(answer);
    EXPECT_VERDICT(s, "none", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
