// Ends whose descriptor, direction or read says less than it seems: half-closes, other holders, reads that span the
// wait.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// A step that reads until it has enough tells at its end how much it had; the client gave up in between.
TEST(HalfRead, AReadThatWaitsForMoreHasTakenWhatCame) {
  for (const auto* step : {"recv-exactly 100", "recv-until-eof"}) {
    Story s;
    s.handshake().send('C', 6).wait(200).socket('S', {.when = "change"}).process(kServerPid, "sleeping");
    s.recv_timeout('C', 500);
    s.close('C').wire("C>S FA").act('S', step, {.bytes = 6, .ago = 700}).end();
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "nobody");
    s.drop_source("sockets");
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-answering");
  }
}

// SECCOMP_RET_KILL_THREAD leaves no word but a thread that is missing and a read that never took its bytes.
TEST(HalfRead, LookAlikeTheThreadThatReadIsGone) {
  Story s;
  s.handshake().act('S', "wait served", {.pending = true}).send('C', 6);
  s.act('S', "recv-exactly 6", {.tid = 21, .pending = true}).wait(200).recv_timeout('C', 500);
  s.socket('S', {.rq = 6});
  s.put(evidence::ProcessState{.pid = kServerPid, .state = "sleeping", .threads = 1, .when = "end"}, true).end();
  EXPECT_VERDICT(s, "seccomp/killed", "likely");
  s.drop_source("processes");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/killed");
}

TEST(KeptFromClosing, TheThreadIsGoneInItsClose) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).send('S', 5).recv('C', 5).act('S', "wait served", {.pending = true});
  s.act('S', "close", {.tid = 21, .pending = true}).act('C', "recv-until-eof", {.ms = 300, .outcome = "timeout"});
  s.put(evidence::ProcessState{.pid = kServerPid, .state = "sleeping", .threads = 1, .when = "end"}, true).end();
  EXPECT_VERDICT(s, "seccomp/killed", "likely");
}

// The answer came; a filter failed or held the call that would have ended it.
TEST(KeptFromClosing, AFilterOnCloseOrShutdown) {
  for (const auto* call : {"close", "shutdown"}) {
    for (const bool stalls : {false, true}) {
      Story s;
      s.handshake().send('C', 6).recv('S', 6).send('S', 5).recv('C', 5);
      s.filter(kServerPid, call, stalls ? "stall" : "errno", stalls ? 0 : 1, 4);
      const std::string step = call == std::string("close") ? "close" : "shutdown write";
      s.act('S', step, {.error = stalls ? 0 : 1, .fd = 4, .pending = stalls});
      s.act('C', "recv-until-eof", {.ms = 300, .outcome = "timeout"}).close('C').wire("C>S FA").end();
      EXPECT_VERDICT(s, stalls ? "seccomp/stalled" : "seccomp/errno", "confirmed");
    }
  }
}

TEST(HalfRead, LookAlikeTheReadBeganOnlyAfterTheClientHadGivenUp) {
  Story s;
  s.handshake().send('C', 6).process(kServerPid, "sleeping").recv_timeout('C', 500).close('C').wire("C>S FA");
  s.act('S', "recv-exactly 100", {.bytes = 6}).end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
}

// The server's window is shut, and what was written before the FIN still waits for room.
TEST(HalfClose, AFinWaitsForRoomAsBytesDo) {
  Story s;
  s.handshake().waiting('S', "sleep 5s", true).act('C', "send 2000", {.bytes = 2000}).wire("C>S PA 1:1001");
  s.wire("S>C A win=0").act('C', "shutdown write").process(kServerPid, "sleeping").recv_timeout('C', 1000).end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
}

TEST(HalfClose, EndOfFileComesFromTheOtherEndWhoeverFinishedFirst) {
  Story s;
  s.handshake().send('C', 6).act('C', "shutdown write").wire("C>S FA").wire("S>C A");
  s.recv('S', 6).close('S').wire("S>C FA").wire("C>S A").recv_eof('C').close('C').end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
  EXPECT_EQ(s.judge().connections[0].closes, "client FIN");
}

TEST(HalfClose, AResetBehindIsTheOtherEnds) {
  Story s;
  s.handshake().send('C', 6).act('C', "shutdown write").wire("C>S FA").wire("S>C A");
  s.close('S').wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE").counter("TcpExtTCPAbortOnClose", 1);
  s.recv_fails('C', ECONNRESET).close('C').end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

// The server's close() dropped one reference; a child has the other.
Story held_open(const std::string& state) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).send('S', 5).recv('C', 5).close('S');
  s.wait(10).socket('S', {.state = state, .pids = {99}}).process(kServerPid, "sleeping");
  s.act('C', "recv-until-eof", {.ms = 300, .outcome = "timeout"}).socket('S', {.state = state, .pids = {99}});
  return s;
}

TEST(HeldOpen, AClosedDescriptorWhoseSocketLivesOn) {
  auto s = held_open("ESTABLISHED").end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  EXPECT_NE(s.judge().run.summary.find("another one"), std::string::npos) << s.judge().run.summary;
}

TEST(HeldOpen, AThreadsReadHoldsWhatAnotherThreadClosed) {
  Story s;
  s.handshake().wait(100).close('S').wait(10).socket('S', {.pids = {kServerPid}}).process(kServerPid, "sleeping");
  s.recv_timeout('C', 300).socket('S', {.pids = {kServerPid}}).close('C').wire("C>S FA").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 0, .ago = 400, .tid = kServerPid + 1}).wire("S>C FA").wire("C>S A").end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  const auto summary = s.judge().run.summary;
  EXPECT_NE(summary.find("its recvfrom, begun before that, still holds"), std::string::npos) << summary;
}

// A worker that answers and ends; whoever started it has a copy of its descriptor.
Story deserted(const std::vector<int>& holders, bool ends = true) {
  Story s;
  s.handshake().exchange();
  if (ends) s.exits(kServerPid, 3);
  s.process(kServerPid, "sleeping").wait(10).socket('S', {.when = "change", .pids = holders});
  s.recv_timeout('C', 300).socket('S', {.pids = holders}).close('C').wire("C>S FA").wire("S>C A").end();
  return s;
}

TEST(HeldOpen, ItsUserEndedAndAnotherProcessHoldsIt) {
  auto s = deserted({99});
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  const auto verdict = s.judge().run;
  EXPECT_NE(verdict.summary.find("used the connection and ended, and another process still holds it"),
            std::string::npos)
      << verdict.summary;
  EXPECT_EQ(verdict.culprit.pid, kServerPid);
}

TEST(HeldOpen, LookAlikeNobodyElseWasSeenToHoldIt) {
  auto s = deserted({});
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "none");
}

TEST(HeldOpen, LookAlikeItsUserIsThereAndTheClientWaitsForNothing) {
  auto s = deserted({kServerPid, 99}, false);
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(HeldOpen, LookAlikeTheFinWasEaten) {
  auto s = held_open("FIN_WAIT1").end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
}

TEST(HeldOpen, WithoutTheSocketsItIsNotKnown) {
  auto s = held_open("ESTABLISHED").end();
  s.drop_source("sockets");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-answering");
}

TEST(CloseOnExec, ClosesWithoutACall) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).act('S', "exec sleep 5", {.bare = true}).wire("S>C FA").wire("C>S A");
  s.recv_eof('C').close('C').end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_NE(s.judge().run.summary.find("exec"), std::string::npos) << s.judge().run.summary;
}

// The server's end is closed, by the kernel's word in that call of that process.
Story& closed_in(Story& s, int pid, const std::string& call, const std::string& state = "FIN_WAIT1") {
  s.put(evidence::KernelEvent{.kind = "state",
                              .old_state = state == "LAST_ACK" ? "CLOSE_WAIT" : "ESTABLISHED",
                              .state = state,
                              .source = *evidence::parse_address("127.0.0.1:8080"),
                              .target = *evidence::parse_address("127.0.0.1:45000"),
                              .pid = pid,
                              .call = call});
  return s.wire("S>C FA").wire("C>S A");
}

Story executed(std::int64_t ms, int pid, const std::string& call) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).act('S', "exec sleep 5", {.bare = true}).wait(ms);
  return std::move(closed_in(s, pid, call));
}

// On a busy machine the step is told long before its process becomes another program: the kernel's word on the process
// and the call that closed it stands for the time, and against it.
TEST(CloseOnExec, TheKernelsWordStandsForTheTime) {
  struct {
    std::int64_t ms;
    int pid;
    std::string call;
    bool by_exec, confirmed;
  } cases[] = {{900, kServerPid, "execve", true, true},
               {9000, kServerPid, "execveat", true, true},
               {50, kServerPid, "", true, true},
               {300, kServerPid, "", false, false},
               {50, kServerPid, "close", false, false},
               {300, kServerPid, "close", false, false},
               {50, kServerPid + 7, "execve", false, false},
               {50, kServerPid + 7, "exit", false, false}};
  for (const auto& each : cases) {
    auto s = executed(each.ms, each.pid, each.call);
    s.recv_eof('C').close('C').end();
    const auto judged = s.judge().run;
    EXPECT_EQ(judged.cause, "application/closed") << told(judged);
    EXPECT_EQ(judged.summary.find("exec") != std::string::npos, each.by_exec) << each.ms << each.call << told(judged);
    EXPECT_EQ(std::string(name_of(judged.status)), each.confirmed ? "confirmed" : "likely") << told(judged);
  }
}

// The new program has the connection, and ends: by itself or by a signal that the machine takes a while to act on.
TEST(CloseOnExec, LookAlikeTheNewProgramEnds) {
  auto exits = executed(300, kServerPid, "exit").wait(200).exits(kServerPid, 0);
  exits.recv_eof('C').close('C').end();
  EXPECT_VERDICT(exits, "application/exited", "confirmed");
  Story killed;
  killed.handshake().send('C', 6).recv('S', 6).act('S', "exec sleep 5", {.bare = true}).wait(300);
  killed.signal(SIGTERM, kServerPid, kClientPid).wait(300);
  closed_in(killed, kServerPid, "exit").killed(kServerPid, SIGTERM).recv_eof('C').close('C').end();
  EXPECT_VERDICT(killed, "application/killed", "confirmed");
}

// It closed the connection, went on, and ended later: the kernel's word is against its end.
TEST(CloseOnExec, LookAlikeTheNewProgramClosesItAndEndsLater) {
  for (const std::int64_t ms : {50, 300}) {
    auto s = executed(ms, kServerPid, "close").recv_eof('C').close('C');
    s.wait(100).exits(kServerPid, 0).end();
    EXPECT_VERDICT(s, "application/closed", "likely");
  }
}

TEST(CloseOnExec, OfAnEndThatWasClosedBefore) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).act('C', "shutdown-write").wire("C>S FA").wire("S>C A");
  s.act('S', "exec sleep 5", {.bare = true}).wait(900);
  closed_in(s, kServerPid, "execve", "LAST_ACK").recv_eof('C').close('C').end();
  EXPECT_NE(s.judge().run.summary.find("exec"), std::string::npos) << told(s.judge().run);
}

// A dump that meets a socket on its way to TIME_WAIT.
TEST(PutAway, ASocketWithoutAPortIsNoConnection) {
  Story s;
  s.handshake().exchange().close('C').wire("C>S FA").wire("S>C A");
  s.put(evidence::SocketState{.peer = *evidence::parse_address("127.0.0.1:8080"), .state = "CLOSE", .when = "change"},
        true);
  s.close('S').wire("S>C FA").wire("C>S A").end();
  EXPECT_EQ(s.judge().connections.size(), 1u);
}

// Socket diagnostics don't tell TCP_DEFER_ACCEPT.
TEST(DeferredAccept, AnUnseenOptionIsLikely) {
  Story s;
  s.listener("127.0.0.1:8080", 0, 16, {kServerPid}).waiting('S', "accept").connected();
  s.wait(200).socket('S', {.state = "SYN_RECV", .inode = 0}).recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "application/not-accepting", "likely");
}

TEST(DeferredAccept, LookAlikeTheQueueWasFull) {
  Story s;
  s.listener("127.0.0.1:8080", 2, 1, {kServerPid}).waiting('S', "wait never").connected();
  s.wait(200).socket('S', {.state = "SYN_RECV", .inode = 0}).recv_timeout('C', 500);
  s.counter("TcpExtListenOverflows", 1).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "limits/accept-queue");
}

}  // namespace
}  // namespace lab::verdict
