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

}  // namespace
}  // namespace lab::verdict
