// Filters, and what looks like them.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

// The client's thread is woken late: the answer is milliseconds older than the call's return.
TEST(SeccompErrno, AConnectThatAFilterAnsweredIsNoPathsFault) {
  Story s(Acts::calls);
  s.filter(kClientPid, "connect", "errno", EACCES, 3);
  s.act('C', "connect", {.error = EACCES, .ms = 7, .fd = 3, .answered = true}).exits(kClientPid, 1).end();
  EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  for (const auto* source : {"filters", "syscalls", "wire"}) {
    auto fewer = s;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "seccomp/errno");
  }
}

// It reads again and waits: what was lost on the way is why.
TEST(SeccompErrno, AReadThatItTriedAgain) {
  Story s;
  s.handshake().filter(kServerPid, "recvfrom", "errno", EAGAIN).recv_fails('S', EAGAIN).waiting('S', "recv 64");
  s.act('C', "send 12", {.bytes = 12}).wire("C>S PA 1:13").traced("C>S PA 1:13", {.hook = "input"});
  s.wait(210).wire("C>S PA 1:13").traced("C>S PA 1:13", {.hook = "input"}).recv_timeout('C', 500);
  EXPECT_VERDICT(s.end(), "firewall/drop", "confirmed");
}

// The answer was lost before: that its close failed as well keeps nothing from the client that it waits for.
TEST(SeccompErrno, ACloseBehindALostAnswer) {
  Story s;
  s.handshake().send('C', 12).recv('S', 12).act('S', "send 6", {.bytes = 6});
  s.wire("S>C PA 1:7").traced("S>C PA 1:7", {.hook = "input"}).filter(kServerPid, "close", "errno", EIO);
  s.act('S', "close", {.error = EIO}).wait(210).wire("S>C PA 1:7").traced("S>C PA 1:7", {.hook = "input"});
  s.recv_timeout('C', 500);
  EXPECT_VERDICT(s.end(), "firewall/drop", "confirmed");
}

// Both got over it: the client asked again, and what the server then wrote met a rule.
TEST(SeccompErrno, AnAnswerFailedThatNobodyDiedOf) {
  const Story::Rule rule{.action = "reject", .text = "tcp sport 8080 reject with tcp reset", .name = "a-reset"};
  Story s;
  s.handshake().send('C', 3).recv('S', 3).filter(kServerPid, "sendto", "errno", EAGAIN);
  s.act('S', "send 1", {.error = EAGAIN}).recv_timeout('C', 300).send('C', 3).recv('S', 3);
  s.act('S', "send 1", {.bytes = 1}).traced("S>C PA 1:2", rule).wire("C>S R 7").recv_fails('S', ECONNRESET);
  EXPECT_VERDICT(s.end(), "firewall/reject-reset", "confirmed");
}

// The client gave up over it: that the server wrote again later changes nothing.
TEST(SeccompErrno, AnAnswerFailedAndTheClientLeft) {
  Story s;
  s.handshake().send('C', 3).recv('S', 3).filter(kServerPid, "sendto", "errno", EAGAIN);
  s.act('S', "send 1", {.error = EAGAIN}).recv_timeout('C', 300).send('C', 3).recv('S', 3).close('C').wire("C>S FA");
  s.act('S', "send 1", {.bytes = 1}).wire("S>C PA 1:2").wire("C>S R 8").recv_fails('S', ECONNRESET);
  EXPECT_VERDICT(s.end(), "seccomp/errno", "confirmed");
}

// The FIN came all the same, by close.
TEST(SeccompErrno, AShutdownFailedAndACloseFollowed) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).send('S', 5).recv('C', 5).filter(kServerPid, "shutdown", "errno", EPERM);
  s.act('S', "shutdown-write", {.error = EPERM}).close('S').wire("S>C FA").recv_eof('C').end();
  EXPECT_NE(s.verdict().cause, "seccomp/errno") << told(s.verdict());
}

TEST(SeccompErrno, ReadFailsAndItEnds) {
  Story s;
  s.handshake()
      .send('C', 12)
      .filter(kServerPid, "recvfrom", "errno", EPERM)
      .recv_fails('S', EPERM)
      .wire("S>C RA")
      .exits(kServerPid, 1)
      .recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  EXPECT_EQ(s.verdict().culprit.detail, "EPERM");
  for (const auto* source : {"filters", "actors", "wire", "counters"}) {
    auto fewer = s;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "seccomp/errno");
  }
}

// The program's own filter, of which the lab knows nothing: the call's entry is on no record.
TEST(SeccompErrno, ACallThatNeverBegan) {
  Story s(Acts::calls);
  s.handshake()
      .send('C', 12)
      .act('S', "recv 64", {.error = EPERM, .answered = true})
      .wire("S>C RA")
      .exits(kServerPid, 1)
      .recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  EXPECT_EQ(s.verdict().because.front().source, "syscalls") << told(s.verdict());
  for (const auto* source : {"syscalls", "wire", "counters"}) {
    auto fewer = s;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "seccomp/errno");
  }
}

// The same without what makes the difference: a call that began, and ENOSYS, which an emulating tracer leaves too.
TEST(SeccompErrno, LookAlikesOfACallThatNeverBegan) {
  for (const Story::Act& read : {Story::Act{.error = EPERM}, Story::Act{.error = ENOSYS, .answered = true}}) {
    Story s(Acts::calls);
    s.handshake().send('C', 12).act('S', "recv 64", read).wire("S>C RA").exits(kServerPid, 1);
    s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
    EXPECT_NE(s.verdict().cause, "seccomp/errno") << told(s.verdict());
  }
}

// Told by the call first, as where the notifier's own word comes late: one cause, and the filter's word for it.
TEST(SeccompErrno, ACallThatNeverBeganAndTheFiltersWordForIt) {
  Story s(Acts::calls);
  s.handshake().send('C', 12).act('S', "recv 64", {.error = EPERM, .answered = true});
  s.filter(kServerPid, "recvfrom", "errno", EPERM).wire("S>C RA").exits(kServerPid, 1).recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  EXPECT_EQ(s.verdict().because.front().source, "filters") << told(s.verdict());
}

TEST(SeccompErrno, CallsOfAProgramThatNobodySaw) {
  Story s(Acts::none);
  s.off("syscalls").handshake().send('C', 12).socket('S', {.pids = {kServerPid}});
  s.wire("C>S PA 1:13")
      .wire("S>C A")
      .filter(kServerPid, "recvfrom", "errno", EPERM)
      .wire("S>C RA")
      .exits(kServerPid, 1)
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_EQ(s.verdict().cause, "seccomp/errno") << told(s.verdict());
}

TEST(SeccompErrno, TriedAgainWithSuccessIsNoCause) {
  Story s;
  s.handshake()
      .send('C', 6)
      .filter(kServerPid, "recvfrom", "errno", EINTR)
      .recv_fails('S', EINTR)
      .recv('S', 6)
      .send('S', 5)
      .recv('C', 5);
  s.close('C').wire("C>S FA").wire("S>C A").close('S').wire("S>C FA").end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(SeccompKilled, Process) {
  Story s;
  s.handshake()
      .send('C', 12)
      .waiting('S', "recv 64")
      .wire("S>C RA")
      .killed(kServerPid, SIGSYS)
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_VERDICT(s, "seccomp/killed", "confirmed");
}

TEST(SeccompKilled, LookAlikeSigsysSentFromOutside) {
  Story s;
  s.handshake()
      .send('C', 12)
      .waiting('S', "recv 64")
      .signal(SIGSYS, kServerPid, 77)
      .wire("S>C RA")
      .killed(kServerPid, SIGSYS)
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_VERDICT(s, "application/killed", "confirmed");
}

// Sent by itself, with no filter anywhere; and raised again by its own handler of a filter's.
TEST(SeccompKilled, SigsysOfItsOwn) {
  for (const bool trapped : {false, true}) {
    Story s(Acts::calls);
    s.handshake().send('C', 12);
    if (trapped) s.signal(SIGSYS, kServerPid, 0, true);
    s.signal(SIGSYS, kServerPid, kServerPid)
        .filter(kServerPid, "kill", "kill-thread")
        .wire("S>C RA")
        .killed(kServerPid, SIGSYS)
        .recv_fails('C', ECONNRESET)
        .counter("TcpOutRsts", 1)
        .end();
    EXPECT_VERDICT(s, trapped ? "seccomp/killed" : "application/exited", "confirmed");
  }
}

TEST(SeccompKilled, AThreadThatLeavesTheConnectionOpen) {
  Story s;
  s.handshake()
      .send('C', 12)
      .filter(kServerPid, "recvfrom", "kill-thread")
      .waiting('S', "recv 64")
      .socket('S', {.rq = 12, .pids = {kServerPid}})
      .process(kServerPid, "sleeping");
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "seccomp/killed", "confirmed");
  s.drop_source("filters");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/killed");
}

}  // namespace
}  // namespace lab::verdict
