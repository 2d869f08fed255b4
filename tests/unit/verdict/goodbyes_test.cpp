// Ends that say goodbye: half-closes, last words, shutdowns of their own, TLS alerts.
#include <fmt/format.h>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

// One that only sends ends its direction, waits until all is taken, and closes.
Story half_closed(int reply) {
  auto s = with_descriptors();
  s.act('C', "shutdown", {.fd = 3}).wire("C>S FA").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "recv 64", {.bytes = 0, .fd = 5});
  if (reply) s.act('S', "send", {.bytes = reply, .fd = 5}).wire("S>C PA 1:3").wire("C>S A");
  s.act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  if (reply) s.act('C', "recv 64", {.bytes = reply, .fd = 3});
  return s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).end();
}

TEST(HalfClosed, AClientOfWhichNobodyKnowsWhetherItHopedForAnAnswer) {
  auto silent = half_closed(0), answered = half_closed(2);
  EXPECT_VERDICT(silent, "application/closed", "likely");
  EXPECT_VERDICT(answered, "none", "confirmed");
}

// A server that shuts both directions reads an end of file of its own making, unless the client's FIN was there before.
Story shuts_both(bool behind_the_fin) {
  auto s = with_descriptors();
  s.act('C', "shutdown", {.fd = 3});
  if (behind_the_fin) s.wire("C>S FA").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).wait(1);
  s.put(evidence::Call{.pid = kServerPid,
                       .tid = kServerPid,
                       .name = "shutdown",
                       .args = "5, SHUT_RDWR",
                       .start_ns = s.timeline().events.back().t_ns + 10'000,
                       .fd = 5,
                       .local = *evidence::parse_address("127.0.0.1:8080"),
                       .peer = *evidence::parse_address("127.0.0.1:45000")});
  s.wire("S>C FA");
  if (!behind_the_fin) s.wire("C>S FA").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 0, .fd = 5}).act('S', "close", {.fd = 5});
  return s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).end();
}

TEST(HalfClosed, AServerThatShutsBothDirectionsItself) {
  auto before = shuts_both(false), behind = shuts_both(true);
  EXPECT_VERDICT(before, "application/closed", "confirmed");
  EXPECT_VERDICT(behind, "application/closed", "likely");
}

// The server ends its direction, behind a greeting or not, and goes on reading until the client ends.
Story half_closed_by_the_server(bool greets, bool to_the_end) {
  Story s(Story::Acts::calls);
  s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3}).act('S', "accept", {.fd = 5});
  if (greets) s.act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6").wire("C>S A");
  if (greets) s.act('C', "recv 5", {.bytes = 5, .fd = 3});
  s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "shutdown write", {.fd = 5}).wire("S>C FA").wire("C>S A");
  s.act('C', "recv 64", {.bytes = 0, .fd = 3});
  s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A");
  if (to_the_end) s.act('S', "recv 64", {.bytes = 0, .fd = 5}).act('S', "close", {.fd = 5});
  return s.end();
}

TEST(HalfClosed, AServerThatEndsItsOwnDirectionAlone) {
  auto greeted = half_closed_by_the_server(true, true), lingers = half_closed_by_the_server(false, true),
       closes = half_closed_by_the_server(false, false);
  EXPECT_VERDICT(greeted, "application/closed", "likely");
  EXPECT_VERDICT(lingers, "application/closed", "confirmed");
  EXPECT_VERDICT(closes, "application/closed", "confirmed");
}

// A last word may ask for no answer; a first one that nobody answers was none.
TEST(Goodbyes, AServerThatHadAnsweredBeforeMayHaveBeenToldToGo) {
  for (const bool before : {false, true}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    if (before) {
      s.act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6").wire("C>S A");
      s.act('C', "recv 5", {.bytes = 5, .fd = 3}).act('C', "send 4", {.bytes = 4, .fd = 3}).wire("C>S PA 7:11");
      s.wire("S>C A").act('S', "recv 64", {.bytes = 4, .fd = 5});
    }
    s.act('S', "close", {.fd = 5}).wire("S>C FA").act('C', "recv 64", {.bytes = 0, .fd = 3});
    s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/closed", before ? "likely" : "confirmed");
  }
}

// All was said and read: the rule that rejects the last FIN harms nobody.
TEST(Goodbyes, ALastFinThatARuleRejectsOrDrops) {
  for (const bool rejects : {true, false})
    for (const bool says_quit : {false, true}) {
      auto s = with_descriptors();
      s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6");
      s.wire("C>S A").act('C', "recv 5", {.bytes = 5, .fd = 3});
      if (says_quit) s.act('C', "send 4", {.bytes = 4, .fd = 3}).wire("C>S PA 7:11").wire("S>C A");
      if (says_quit) s.act('S', "recv 64", {.bytes = 4, .fd = 5});
      s.act('C', "close", {.fd = 3}).wire("C>S FA").act('S', "close", {.fd = 5});
      if (rejects) s.traced("S>C FA", {.action = "reject", .text = "reject with tcp reset"}).wire("C>S R 12");
      if (!rejects) s.traced("S>C FA");
      if (rejects) s.wait(200).wire("C>S FA 12").wire("S>C R 7");
      EXPECT_VERDICT(s.end(), "none", "confirmed");
    }
}

// Both spoke TLS, the client did not like the certificate.
Story broken_off(const std::string& alert, int length) {
  Story s;
  const auto from = fmt::format("C>S PA 7:{}", 7 + length);
  s.handshake()
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7 head=16030100c901")
      .wire("S>C PA 1:6 head=160303007a02");
  s.act('S', "send 5", {.bytes = 5}).wire("C>S A").recv('C', 3);
  s.act('C', "send 7", {.bytes = length}).wire(from + " head=" + alert).recv('S', 6 + length);
  s.close('S').wire("S>C FA").close('C').wire("C>S RA");
  return s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
}

TEST(Tls, WhoSentAFatalAlertEndedTheSessionWhoeverClosedFirst) {
  auto alert = broken_off("15030300020230", 7);
  EXPECT_EQ(alert.verdict().cause, "application/closed") << told(alert.verdict());
  EXPECT_EQ(alert.judge().connections[0].by, "client");
  EXPECT_NE(alert.verdict().summary.find("fatal alert"), std::string::npos) << told(alert.verdict());
  for (auto other : {broken_off("15030300020100", 7), broken_off("15030300020230", 9), broken_off("17030300020230", 7)})
    EXPECT_EQ(other.verdict().summary.find("fatal alert"), std::string::npos) << told(other.verdict());
}

}  // namespace
}  // namespace lab::verdict
