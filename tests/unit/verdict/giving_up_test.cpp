// Clients that end while they wait: by a signal, a timer, another thread. And those that only look as if they waited.
#include <fmt/format.h>

#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

std::int64_t now(Story& s) { return s.timeline().events.back().t_ns; }

// A call of the client's that began then.
Story& since(Story& s, std::int64_t began, evidence::Call call) {
  call.pid = kClientPid;
  if (!call.tid) call.tid = kClientPid;
  call.start_ns = began;
  call.local = *evidence::parse_address("127.0.0.1:45000");
  call.peer = *evidence::parse_address("127.0.0.1:8080");
  return s.put(call);
}

Story& lasting(Story& s, const evidence::Call& call, std::int64_t ms) {
  const auto began = now(s);
  return since(s.wait(ms), began, call);
}

Story read_by_the_server() {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).process(kServerPid, "sleeping");
  return s;
}

Story& closes(Story& s) { return s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end(); }

evidence::Call reads(int error, int tid = 0) { return {.tid = tid, .name = "recvfrom", .error = error, .fd = 3}; }

// A read that a signal ends after so long.
Story interrupted(int signal, std::int64_t ms) {
  auto s = read_by_the_server();
  const auto began = now(s);
  s.wait(ms).signal(signal, kClientPid, 0, true);
  return since(s, began, reads(EINTR));
}

TEST(GivingUp, AnAlarmThatInterruptsAReadIsAComplaint) {
  auto s = interrupted(SIGALRM, 1000);
  EXPECT_VERDICT(closes(s), "application/not-answering", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

TEST(GivingUp, LookAlikeAnotherSignalOrOneAtOnceBehindTheRequest) {
  auto told_to_go = interrupted(SIGTERM, 1000), at_once = interrupted(SIGALRM, 10);
  EXPECT_VERDICT(closes(told_to_go), "application/not-answering", "likely");
  EXPECT_VERDICT(closes(at_once), "none", "confirmed");
}

// It ends its own direction and reads on: it has not given up.
TEST(GivingUp, AHalfCloseIsNoEnd) {
  auto s = interrupted(SIGALRM, 300);
  since(s, now(s), {.name = "shutdown", .args = "3, SHUT_WR", .fd = 3}).wire("C>S FA").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 0, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).end();
  EXPECT_EQ(s.verdict().cause, "application/closed") << told(s.verdict());
}

TEST(GivingUp, LooksThatDoNotWaitAreNoSureComplaint) {
  auto s = read_by_the_server();
  for (int i = 0; i < 5; ++i) lasting(s, reads(EAGAIN), 100);
  EXPECT_VERDICT(closes(s), "application/not-answering", "likely");
}

// Several looks are as sure as the least sure of them.
TEST(GivingUp, LooksOfSeveralKinds) {
  auto s = read_by_the_server();
  for (int i = 0; i < 10; ++i) lasting(s, reads(EAGAIN), 100);
  const auto began = now(s);
  s.signal(SIGALRM, kClientPid, 0, true);
  EXPECT_VERDICT(closes(since(s, began, reads(EINTR))), "application/not-answering", "likely");
}

// What it looked for before it asked was no answer.
TEST(GivingUp, LookAlikeLooksBeforeTheLastWordAlone) {
  auto s = read_by_the_server();
  for (int i = 0; i < 5; ++i) lasting(s, reads(EAGAIN), 100);
  s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 7:13").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 6, .fd = 5});
  lasting(s, reads(EAGAIN), 1);
  EXPECT_VERDICT(closes(s), "none", "confirmed");
}

// Thread 11 reads; the main one shuts the connection down under it.
Story shut_after(std::int64_t ms) {
  auto s = read_by_the_server();
  const auto began = now(s);
  s.wait(ms);
  since(s, began + ms * 1'000'000, {.name = "shutdown", .args = "3, SHUT_RDWR", .fd = 3}).wire("C>S FA").wire("S>C A");
  since(s, began, reads(0, 11)).act('C', "close", {.fd = 3});
  return s.end();
}

TEST(GivingUp, AWatchdogThatShutsTheConnectionDownUnderAReadHadWaited) {
  auto waited = shut_after(1000), at_once = shut_after(10);
  EXPECT_VERDICT(waited, "application/not-answering", "likely");
  EXPECT_VERDICT(at_once, "none", "confirmed");
}

// It exits with a thread inside a read.
Story exits_after(std::int64_t ms, int status) {
  auto s = read_by_the_server();
  const auto began = now(s);
  s.wait(ms);
  auto pending = reads(0, 11);
  pending.returned = false;
  since(s, began, pending).exits(kClientPid, status).wire("C>S FA").wire("S>C A");
  return s.end();
}

TEST(GivingUp, AnExitThatSaysItFailedWithAThreadInARead) {
  auto failed = exits_after(1000, 2), well = exits_after(1000, 0), at_once = exits_after(10, 2);
  EXPECT_VERDICT(failed, "application/not-answering", "likely");
  EXPECT_EQ(well.verdict().cause, "none") << "a thread that listens for more waits as long as its process lives";
  EXPECT_EQ(at_once.verdict().cause, "none") << told(at_once.verdict());
}

// ---- woken by something else, or gone with nothing said

// The server answers, and a rule eats that for good.
Story answer_eaten() {
  auto s = read_by_the_server();
  s.act('S', "send 5", {.bytes = 5, .fd = 5}).traced("S>C PA 1:6");
  return s;
}

evidence::Call polls(std::int64_t ready) {
  return {.name = "poll", .args = "[3:POLLIN 4:POLLIN=POLLIN], 2, -1ms", .result = ready};
}

TEST(GivingUp, AWaitThatAnotherDescriptorEndedTellsWhatWasLost) {
  auto eaten = answer_eaten(), silent = read_by_the_server(), at_once = read_by_the_server();
  lasting(eaten, polls(1), 900);
  lasting(silent, polls(1), 900);
  lasting(at_once, polls(1), 10);
  EXPECT_VERDICT(closes(eaten), "firewall/drop", "confirmed");
  EXPECT_VERDICT(closes(silent), "none", "likely");
  EXPECT_VERDICT(closes(at_once), "none", "confirmed");
}

// It only sends, and has not gone.
TEST(GivingUp, WhoStaysHasNotGivenUp) {
  auto s = read_by_the_server();
  lasting(s, polls(1), 900);
  EXPECT_VERDICT(s.end(), "none", "confirmed");
}

// A forking server's parent closes its copy, and the child works on.
TEST(GivingUp, LookAlikeAParentsCopyThatWasClosed) {
  auto s = forked();
  EXPECT_VERDICT(closes(s), "none", "confirmed");
}

TEST(GivingUp, LookAlikeTheAnswerWasThereToo) {
  auto s = read_by_the_server();
  s.act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6").wire("C>S A");
  lasting(s, polls(2), 900).act('C', "recv 5", {.bytes = 5, .fd = 3});
  EXPECT_VERDICT(closes(s), "none", "confirmed");
}

TEST(GivingUp, WhoGoesWithoutAWordWhileTheAnswerIsEatenIsNoSureVictim) {
  auto asked = answer_eaten();
  EXPECT_VERDICT(closes(asked.wait(900)), "firewall/drop", "likely");
  // Without anybody's calls the wire has the word.
  asked.drop_source("syscalls");
  EXPECT_NE(asked.verdict().summary.find("waited in vain"), std::string::npos) << told(asked.verdict());
  // Nothing that it had asked for: it had its answer, and what was eaten came behind.
  auto s = read_by_the_server();
  s.act('S', "send 5", {.bytes = 5, .fd = 5})
      .wire("S>C PA 1:6")
      .wire("C>S A")
      .act('C', "recv 5", {.bytes = 5, .fd = 3});
  EXPECT_VERDICT(closes(s), "none", "confirmed");
}

TEST(GivingUp, AThreadThatWasStillReadingMakesAGoodExitUnsure) {
  auto waited = exits_after(1000, 0), at_once = exits_after(10, 0);
  EXPECT_VERDICT(waited, "none", "likely");
  EXPECT_VERDICT(at_once, "none", "confirmed");
}

// EALREADY is no answer to a connect.
TEST(GivingUp, AConnectThatIsAskedForAgainAndAgain) {
  Story s(Story::Acts::calls);
  s.act('C', "connect", {.error = EINPROGRESS, .fd = 3}).traced("C>S S 0", {.hook = "output"});
  for (int i = 0; i < 5; ++i) s.wait(100).act('C', "connect", {.error = EALREADY, .fd = 3});
  s.act('C', "close", {.fd = 3}).end();
  EXPECT_EQ(s.verdict().cause, "connect/no-answer") << told(s.verdict());
}

// ---- goodbyes

// One that only sends ends its direction, waits until all is taken, and closes.
Story half_closed(int reply) {
  auto s = with_descriptors();
  since(s, now(s), {.name = "shutdown", .args = "3, SHUT_WR", .fd = 3}).wire("C>S FA").wire("S>C A");
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
