// A program that was stopped or frozen, and whether it ran again in time.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

TEST(Stopped, Typical) {
  Story s;
  s.handshake()
      .exchange()
      .signal(SIGSTOP, kServerPid, 77)
      .process(kServerPid, "stopped")
      .send('C', 6)
      .socket('S', {.rq = 6, .pids = {kServerPid}})
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "application/stopped", "confirmed");
}

TEST(Stopped, FrozenIsSaid) {
  Story s;
  s.handshake().process(kServerPid, "frozen").send('C', 6).recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "application/stopped", "confirmed");
  EXPECT_NE(s.verdict().summary.find("frozen"), std::string::npos);
}

TEST(Stopped, WithoutItsRecordTheLookAlikesRemain) {
  Story s;
  s.handshake()
      .send('C', 6)
      .waiting('S', "recv 64")
      .socket('S', {.rq = 6, .pids = {kServerPid}})
      .off("processes")
      .off("signals")
      .recv_timeout('C', 500)
      .end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/stopped");
}

TEST(Stopped, ContinuedInTimeIsNoCause) {
  Story s;
  s.handshake()
      .signal(SIGSTOP, kServerPid, 77)
      .process(kServerPid, "stopped")
      .send('C', 6)
      .signal(SIGCONT, kServerPid, 77)
      .recv('S', 6)
      .process(kServerPid, "sleeping");
  s.send('S', 5).recv('C', 5).close('C').wire("C>S FA").close('S').wire("S>C FA").wire("C>S A").end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

// It ran again when the client had given up, and answered.
TEST(Stopped, ThatItWentOnLaterDoesNotExcuseIt) {
  Story s;
  s.handshake().send('C', 6).signal(SIGSTOP, kServerPid, 77).recv_timeout('C', 500).close('C').wire("C>S FA");
  s.signal(SIGCONT, kServerPid, 77).recv('S', 6).act('S', "send 5", {.bytes = 5}).wire("S>C PA 1:6").wire("C>S R 8");
  s.process(kServerPid, "sleeping").end();
  EXPECT_VERDICT(s, "application/stopped", "confirmed");
}

// Nobody told of the SIGCONT: that it acted says that it ran again, and when.
TEST(Stopped, WhoActsRunsAgain) {
  for (const bool in_time : {false, true}) {
    Story s;
    s.handshake().send('C', 6).signal(SIGSTOP, kServerPid, 77).wait(100);
    if (in_time) s.recv('S', 6);
    s.recv_timeout('C', 500).close('C').wire("C>S FA");
    if (!in_time) s.recv('S', 6);
    s.act('S', "send 5", {.bytes = 5}).wire("S>C PA 1:6").wire("C>S R 8").process(kServerPid, "sleeping").end();
    EXPECT_EQ(s.verdict().cause == "application/stopped", !in_time) << told(s.verdict());
  }
}

}  // namespace
}  // namespace lab::verdict
