// Processes that ended with the connection open.
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

Story ended(int status, int signal) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6);
  if (signal)
    s.signal(signal, kServerPid, signal == SIGKILL ? 77 : signal == SIGPIPE ? kServerPid : 0, signal == SIGSEGV);
  else
    s.waiting('S', "exit 3");
  s.wire("S>C FA").wire("C>S A");
  if (signal)
    s.killed(kServerPid, signal);
  else
    s.exits(kServerPid, status);
  return s.recv_eof('C').close('C').end();
}

TEST(Exited, Typical) {
  auto s = ended(3, 0);
  EXPECT_VERDICT(s, "application/exited", "confirmed");
  EXPECT_EQ(s.verdict().culprit.detail, "exit status 3");
}

TEST(Exited, LookAlikeClosedAndThenExited) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).close('S').wire("S>C FA").recv_eof('C').exits(kServerPid, 3).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

// What it did when the client had read end of file says that it lived then, wire or no wire.
TEST(Exited, LookAlikeFinishedInsideARelayAndExitedLater) {
  for (const auto* source : {"", "wire"}) {
    Story s;
    s.handshake().send('C', 6).wire("S>C FA").wire("C>S A").recv_eof('C');
    s.act('S', "relay client backend", {.bytes = 6, .ago = 1}).wait(1).exits(kServerPid, 0).end().drop_source(source);
    EXPECT_VERDICT(s, "application/closed", "likely");
  }
}

TEST(Exited, ProgramWhoseCallsNobodySawIsNotConfirmed) {
  Story s(Acts::none);
  s.off("syscalls").handshake().send('C', 6).wire("S>C FA").wire("C>S A").exits(kServerPid, 3).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/exited");
  EXPECT_EQ(s.verdict().status, Status::likely);
}

TEST(Exited, SigpipeOfItsOwnWrite) {
  auto s = ended(0, SIGPIPE);
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

TEST(Crashed, Typical) {
  auto s = ended(0, SIGSEGV);
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
}

TEST(Crashed, LookAlikeSegvSentFromOutside) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .signal(SIGSEGV, kServerPid, 77)
      .wire("S>C FA")
      .killed(kServerPid, SIGSEGV)
      .recv_eof('C')
      .end();
  EXPECT_VERDICT(s, "application/killed", "confirmed");
}

TEST(Crashed, GoesBeforeUnreadBytes) {
  Story s;
  s.handshake()
      .send('C', 6)
      .wire("S>C RA")
      .killed(kServerPid, SIGSEGV)
      .built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED")
      .recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
}

TEST(Killed, Typical) {
  auto s = ended(0, SIGKILL);
  EXPECT_VERDICT(s, "application/killed", "confirmed");
  EXPECT_NE(s.verdict().culprit.detail.find("process 77"), std::string::npos);
}

TEST(Killed, LookAlikeOutOfMemory) {
  Story s;
  s.limit(kServerPid, "cgroup.memory", 1 << 20, 1 << 20, true)
      .handshake()
      .send('C', 6)
      .recv('S', 6)
      .changed("cgroup-oom-kill", "server");
  s.wire("S>C FA").killed(kServerPid, SIGKILL).recv_eof('C').end();
  EXPECT_VERDICT(s, "limits/memory", "confirmed");
}

TEST(Killed, ALimitThatNobodyWatchedLeavesADoubt) {
  Story s;
  s.started(kServerPid, "server", {"cgroup.memory=1048576"}).off("limits").off("changes");
  s.handshake().send('C', 6).recv('S', 6).wire("S>C FA").killed(kServerPid, SIGKILL).recv_eof('C').end();
  EXPECT_VERDICT(s, "application/killed", "likely");
}

TEST(Killed, NobodyWaitedButItDidNotMeanToEnd) {
  Story s;
  s.handshake()
      .exchange()
      .signal(SIGKILL, kServerPid, 77)
      .wire("S>C FA")
      .wire("C>S A")
      .killed(kServerPid, SIGKILL)
      .close('C')
      .wire("C>S FA")
      .end();
  EXPECT_VERDICT(s, "application/killed", "confirmed");
}

TEST(Killed, StoppedByTheLabIsNoCause) {
  Story s;
  s.handshake().exchange().close('C').wire("C>S FA").wire("S>C A").waiting('S', "recv 64").end();
  s.put(evidence::ProcessExit{.pid = kServerPid, .signal = SIGKILL, .by_lab = true}, true);
  EXPECT_VERDICT(s, "none", "confirmed");
}

}  // namespace
}  // namespace lab::verdict
