// Ends that may have waited: a look that need not have awaited an answer, and clients that leave without a word.
#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

constexpr const char* kUntold = "nothing tells that the client had waited for what it asked";

bool doubts(Story& s, const std::string& what) {
  return told(s.verdict()).find("[not excluded] " + what) != std::string::npos;
}

Story& leaves(Story& s) { return s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end(); }

Story asked() {
  auto s = with_descriptors();
  return s.act('S', "recv 64", {.bytes = 6, .fd = 5});
}

// ---- the server is stopped, and the client's wait is not told for what it was

Story stopped() {
  auto s = asked();
  return s.signal(SIGSTOP, kServerPid, 77).process(kServerPid, "stopped");
}

// An event loop looks for other descriptors and timers, too.
TEST(Stopped, AnEventLoopsLookDoesNotTellThatItWaited) {
  for (const auto* call : {"epoll_wait", "epoll_pwait"}) {
    auto s = stopped();
    look(s, call, "7, [], 8, 500ms", 0);
    EXPECT_VERDICT(leaves(s), "application/stopped", "likely");
    const auto unsure = std::string(call) + " does not tell that the client waited for an answer";
    EXPECT_TRUE(doubts(s, unsure)) << told(s.verdict());
  }
}

TEST(Stopped, LookAlikeALookForThisDescriptorAlone) {
  for (const auto& [call, args] : {std::pair("poll", "[3:POLLIN], 1, 500ms"), std::pair("select", "4, read=[3]")}) {
    auto s = stopped();
    look(s, call, args, 0);
    EXPECT_VERDICT(leaves(s), "application/stopped", "confirmed");
  }
}

// A thread is in a read when its process ends: of its own failure, or of the alarm that limits the wait.
TEST(Stopped, AProcessThatEndsInAReadNeedNotHaveGivenUpOverIt) {
  for (const bool alarm : {false, true}) {
    auto s = stopped();
    s.act('C', "recv 64", {.tid = 11, .fd = 3, .pending = true}).wait(1000);
    if (alarm)
      s.signal(SIGALRM, kClientPid, 0, true).killed(kClientPid, SIGALRM);
    else
      s.exits(kClientPid, 2);
    s.wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/stopped", alarm ? "confirmed" : "likely");
  }
}

// ---- clients that leave while something is kept from them

// The server wrote, and nothing of it is on the wire; what took it is on no record.
TEST(Left, WithoutAFindingItMayHaveBeenWell) {
  auto s = asked();
  s.act('S', "send 5", {.bytes = 5, .fd = 5}).wait(900);
  EXPECT_VERDICT(leaves(s), "none", "likely");
  EXPECT_EQ(s.judge().connections[0].by, "nobody");
  EXPECT_TRUE(doubts(s, "the client had no answer to what it said last, and may have waited for it"));
  EXPECT_EQ(told(s.verdict()).find("nothing left unacknowledged"), std::string::npos) << told(s.verdict());
}

TEST(Left, LookAlikeNothingIsKeptFromIt) {
  auto silent = asked(), answered = asked();
  EXPECT_VERDICT(leaves(silent.wait(900)), "none", "confirmed");
  answered.act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6").wire("C>S A");
  answered.act('C', "recv 64", {.bytes = 5, .fd = 3}).wait(900);
  EXPECT_VERDICT(leaves(answered), "none", "confirmed");
}

TEST(Left, LookAlikeWithAFindingThatIsNoMoreThanLikely) {
  auto held = asked(), eaten = asked();
  held.filter(kServerPid, "sendto", "stall", 0, 5).wait(900);
  EXPECT_VERDICT(leaves(held), "seccomp/stalled", "likely");
  EXPECT_TRUE(doubts(held, kUntold)) << told(held.verdict());
  eaten.act('S', "send 5", {.bytes = 5, .fd = 5}).traced("S>C PA 1:6").wait(900);
  EXPECT_VERDICT(leaves(eaten), "firewall/drop", "likely");
  EXPECT_TRUE(doubts(eaten, kUntold)) << told(eaten.verdict());
}

}  // namespace
}  // namespace lab::verdict
