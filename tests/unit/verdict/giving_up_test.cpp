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

}  // namespace
}  // namespace lab::verdict
