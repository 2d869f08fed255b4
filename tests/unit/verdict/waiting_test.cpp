// Ends that wait in vain because of the other end's program, and what looks like it.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"
#include "verdict/unread.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

// Acknowledged and unanswered: what stopped, busy, deadlocked, not accepting and not reading have in common.
Story unaccepted(const std::string& at_work = "sleep 5s") {
  Story s;
  s.waiting('S', at_work).connected().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A");
  s.socket('S', {.rq = 6, .inode = 0})
      .listener("127.0.0.1:8080", 1, 16)
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500);
  return s;
}

TEST(NotAccepting, Typical) {
  auto s = unaccepted().close('C').wire("C>S FA").wire("S>C A").end();
  EXPECT_VERDICT(s, "application/not-accepting", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

TEST(NotAccepting, LookAlikeStopped) {
  Story s;
  s.waiting('S', "accept").connected().signal(SIGSTOP, kServerPid, 77).process(kServerPid, "stopped");
  s.act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .wire("S>C A")
      .socket('S', {.rq = 6, .inode = 0})
      .recv_timeout('C', 500)
      .process(kServerPid, "stopped")
      .end();
  EXPECT_VERDICT(s, "application/stopped", "confirmed");
}

// Its own alarm ends the client in the read: it gave up over what the filter held.
TEST(Alarm, WhoIsEndedByItWhileWaitingHadWaitedInVain) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).filter(kServerPid, "sendto", "stall").waiting('C', "recv 64").wait(1000);
  s.signal(SIGALRM, kClientPid, 0, true).wire("C>S FA").wire("S>C A").killed(kClientPid, SIGALRM).end();
  EXPECT_VERDICT(s, "seccomp/stalled", "confirmed");
}

TEST(NotAccepting, LookAlikeAFilterHoldsAccept) {
  Story s;
  s.waiting('S', "accept")
      .connected()
      .filter(kServerPid, "accept4", "stall")
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .wire("S>C A");
  s.socket('S', {.rq = 6, .inode = 0}).process(kServerPid, "sleeping").recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "seccomp/stalled", "confirmed");
  s.drop_source("filters");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/stalled");
}

TEST(NotAccepting, WithEventsMissing) {
  for (const auto* source : {"wire", "sockets", "processes", "actors", "filters"}) {
    auto s = unaccepted().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-accepting");
  }
}

Story unread() {
  Story s;
  s.handshake()
      .send('C', 6)
      .waiting('S', "sleep 5s")
      .socket('S', {.rq = 6, .pids = {kServerPid}})
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500);
  return s;
}

TEST(NotReading, Typical) {
  auto s = unread().end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
}

TEST(NotReading, LookAlikeItReadAndDoesNotAnswer) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .waiting('S', "sleep 5s")
      .socket('S', {.pids = {kServerPid}})
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

TEST(NotReading, LookAlikeAFilterHoldsRecv) {
  Story s;
  s.handshake()
      .send('C', 6)
      .waiting('S', "recv 64")
      .filter(kServerPid, "recvfrom", "stall")
      .socket('S', {.rq = 6, .pids = {kServerPid}});
  s.process(kServerPid, "sleeping").recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "seccomp/stalled", "confirmed");
  s.drop_source("filters");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/stalled");
}

TEST(NotReading, SocketsAloneAreLikely) {
  Story s(Acts::none);
  s.off("syscalls")
      .handshake()
      .wire("C>S PA 1:7")
      .wire("S>C A")
      .socket('S', {.rq = 6, .pids = {kServerPid}})
      .process(kServerPid, "sleeping")
      .wait(500)
      .wire("C>S FA")
      .end();
  EXPECT_VERDICT(s, "application/not-reading", "likely");
}

TEST(NotReading, WithEventsMissing) {
  for (const auto* source : {"wire", "sockets", "processes", "actors", "filters"}) {
    auto s = unread().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-reading");
  }
}

// No look came; the read tells when its last bytes did.
TEST(NotAnswering, AReadUntilTheEndOfFileTellsWhenItsLastBytesCame) {
  struct {
    std::int64_t got;  // ms from the beginning of the wait
    std::int64_t bytes;
    bool pending, known;
  } cases[] = {
      {1, 6, false, true}, {0, 6, false, false}, {600, 6, false, false}, {1, 5, false, false}, {1, -1, true, false}};
  for (const auto& each : cases) {
    Story s;
    s.handshake().send('C', 6);
    const auto began = s.now();
    s.process(kServerPid, "sleeping").recv_timeout('C', 500).wait(200);
    s.put(evidence::StepDone{.role = "server",
                             .actor = "server",
                             .index = 7,
                             .pid = kServerPid,
                             .tid = kServerPid,
                             .verb = "recv-until-eof",
                             .step = "recv-until-eof",
                             .call = "recvfrom",
                             .outcome = each.pending ? "stopped" : "6 bytes",
                             .bytes = each.bytes,
                             .start_ns = began - 1'000'000,
                             .end_ns = each.pending ? 0 : s.now(),
                             .got_ns = each.got ? began + each.got * 1'000'000 : 0,
                             .fd = 4,
                             .local = *evidence::parse_address("127.0.0.1:8080"),
                             .peer = *evidence::parse_address("127.0.0.1:45000")});
    s.end();
    const auto verdict = s.verdict();
    EXPECT_EQ(verdict.cause, each.known ? "application/not-answering" : "unknown") << each.got << told(verdict);
    EXPECT_EQ(std::string(name_of(verdict.status)), each.known ? "confirmed" : "unknown") << told(verdict);
  }
}

TEST(NotAnswering, BothWaitForTheOther) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .waiting('S', "recv 64")
      .socket('S', {.pids = {kServerPid}})
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "nobody");
}

TEST(NotAnswering, ADeadlockCutShortByTheDeadline) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .waiting('C', "recv 64")
      .socket('S', {.pids = {kServerPid}})
      .socket('C', {.pids = {kClientPid}});
  s.process(kServerPid, "sleeping").process(kClientPid, "sleeping").wait(1000).end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

TEST(NotAnswering, LookAlikeAnsweredAndEatenOnTheWayBack) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .act('S', "send 5", {.bytes = 5})
      .traced("S>C PA 1:6")
      .waiting('S', "recv 64")
      .socket('S', {.timer = "probe", .not_sent = 5, .backoff = 1, .pids = {kServerPid}});
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(NotAnswering, AnAnswerThatCameLaterDoesNotExcuse) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500)
      .close('C')
      .wire("C>S FA")
      .wire("S>C A");
  s.act('S', "send 5", {.bytes = 5}).wire("S>C PA 1:6").wire("C>S R 8").counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

// The lab stops one program after the other: the other's end of file comes from that.
TEST(NotAnswering, WhatTheLabsOwnEndBringsAboutIsNoClose) {
  for (const bool server_first : {true, false}) {
    Story s(Acts::calls);
    s.handshake().wait(900).process(kServerPid, "sleeping");
    s.put(evidence::Milestone{"deadline"}).put(evidence::Milestone{"stopping"});
    s.act(server_first ? 'C' : 'S', "recv 64", {.bytes = 0, .ago = 800});
    s.act(server_first ? 'S' : 'C', "recv 64", {.ago = 800, .pending = true});
    s.put(evidence::Milestone{"end"});
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  }
}

// The kernel counts the FIN that has come as a byte.
TEST(NotReading, TheFinIsNoUnreadByte) {
  Story s;
  s.handshake().act('C', "send 5", {.bytes = 5}).wire("C>S PA 1:6").wire("S>C A");
  s.act('C', "shutdown write").wire("C>S FA 6").wire("S>C A").act('S', "sleep 5s", {.pending = true});
  s.socket('S', {.state = "CLOSE_WAIT", .rq = 6, .pids = {kServerPid}}).process(kServerPid, "sleeping");
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
  EXPECT_NE(told(s.verdict()).find("5 bytes lie unread"), std::string::npos) << told(s.verdict());
  EXPECT_EQ(unread_in("CLOSE_WAIT", 6), 5U);
  EXPECT_EQ(unread_in("CLOSE_WAIT", 0), 0U);
  EXPECT_EQ(unread_in("ESTABLISHED", 6), 6U);
}

}  // namespace
}  // namespace lab::verdict
