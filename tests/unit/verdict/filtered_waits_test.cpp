// Writes and selects that a filter holds, answers or kills: nobody waits for the other end in them.
#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

// ---- writes that a filter holds

TEST(HeldWrite, AClientThatMeantToSpeakDoesNotWaitForTheServer) {
  Story s;
  s.handshake().waiting('S', "recv 64").filter(kClientPid, "sendto", "stall").waiting('C', "send 6");
  s.process(kServerPid, "sleeping").process(kClientPid, "sleeping").wait(1000).end();
  EXPECT_VERDICT(s, "seccomp/stalled", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "client");
  s.drop_source("filters");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/stalled");
}

// The client sleeps on what came before; its window is shut.
Story server_writes_on(const std::string& filtered, const std::string& action, int tid = kServerPid) {
  Story s;
  s.handshake().waiting('C', "sleep 5s").wire("S>C A 1:40001").wire("C>S A win=0");
  if (!action.empty()) s.filter(kServerPid, filtered, action, action == "errno" ? EINTR : 0);
  s.act('S', "send 50000", {.tid = tid, .pending = true}).process(kServerPid, "sleeping");
  return s.process(kClientPid, "sleeping").wait(1000).socket('C', {.rq = 40000, .pids = {kClientPid}}).end();
}

TEST(HeldWrite, AServerThatAFilterHoldsDoesNotWaitForRoom) {
  auto s = server_writes_on("sendto", "stall");
  EXPECT_EQ(s.verdict().cause, "none") << told(s.verdict());
}

TEST(HeldWrite, LookAlikeNoneAnotherThreadOrAnotherCallIsHeld) {
  for (auto s : {server_writes_on("", ""), server_writes_on("sendto", "stall", kServerPid + 1),
                 server_writes_on("sendmsg", "stall"), server_writes_on("sendto", "errno")}) {
    EXPECT_VERDICT(s, "application/not-reading", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "client");
  }
}

// ---- signals that lab sends

// In place of a filter that is to count, or because the operator was told to.
TEST(SentByLab, AFiltersSignalOrTheOperators) {
  for (const bool filter : {true, false}) {
    Story s;
    s.handshake().send('C', 6).recv('S', 6);
    if (filter) s.filter(kServerPid, "sendto", "kill-process");
    s.put(evidence::SignalSent{.signal = SIGSYS, .target = kServerPid, .sender = 1, .by_lab = true});
    s.wire("S>C FA").killed(kServerPid, SIGSYS).recv_eof('C').end();
    EXPECT_VERDICT(s, filter ? "seccomp/killed" : "application/killed", "confirmed");
    if (filter) {
      s.drop_source("filters");
      EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/killed");
    }
  }
}

// ---- reads that a filter holds

// The answer may lie in its queue: the filter is what it waits for.
TEST(HeldRead, AClientDoesNotWaitForTheServer) {
  for (const auto acts : {Acts::steps, Acts::calls})
    for (const bool reads_on : {true, false}) {
      Story s(acts);
      s.handshake().send('C', 6).recv('S', 6).filter(kClientPid, "recvfrom", "stall");
      if (acts == Acts::steps) s.waiting('C', "recv 64");
      s.act('S', "send 5", {.bytes = 5}).wire("S>C PA 1:6").wire("C>S A");
      s.process(kServerPid, "sleeping").process(kClientPid, "sleeping");
      if (reads_on) s.waiting('S', "recv 64");
      s.wait(1000).socket('C', {.rq = 5, .pids = {kClientPid}}).end();
      EXPECT_VERDICT(s, "seccomp/stalled", "confirmed");
      EXPECT_EQ(s.judge().connections[0].by, "client");
    }
}

TEST(HeldRead, LookAlikeAnotherCallOrAnotherThreadIsHeld) {
  for (const auto* call : {"recvmsg", "sendto"}) {
    Story s;
    s.handshake().send('C', 6).recv('S', 6).filter(kClientPid, call, "errno", EINTR).waiting('C', "recv 64");
    s.process(kServerPid, "sleeping").process(kClientPid, "sleeping").wait(1000).end();
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  }
}

// It says its word and goes, or another thread of it is held in a call about something else.
TEST(HeldRead, LookAlikeItIsNoneOfTheConnections) {
  for (const bool goes : {true, false}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    const int thread = goes ? kClientPid : kClientPid + 1;
    s.put(evidence::FilterAct{.pid = kClientPid, .tid = thread, .call = "poll", .action = "stall", .count = 1});
    if (goes) s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A");
    s.wait(1000).process(kServerPid, "sleeping").process(kClientPid, "sleeping").end();
    EXPECT_EQ(s.verdict().cause, "none") << told(s.verdict());
  }
}

// A child that a filter holds may have had other work: its parent had read the request.
TEST(HeldChild, NeedNotBeTheOneThatServes) {
  for (const int held : {kChildPid, kServerPid}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
    s.socket('S', {.pids = {kServerPid, kChildPid}}).filter(held, "getpriority", "stall");
    s.process(kServerPid, "sleeping").process(kChildPid, "sleeping");
    look(s, "poll", "[3:POLLIN], 1, 500ms", 0);
    s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "seccomp/stalled", held == kServerPid ? "confirmed" : "likely");
  }
}

// It can't look whether its answer is there, and goes.
TEST(FailedWait, AClientHangsUpOverAFiltersAnswer) {
  for (const bool late : {false, true}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).filter(kClientPid, "poll", "errno", ENOSYS);
    if (late) s.wait(3000);
    s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    if (late)
      EXPECT_EQ(s.verdict().cause, "none") << told(s.verdict());
    else
      EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  }
}

// ---- select

// It tells no connection that it waits on as its own: the descriptors are in a set.
evidence::Call select_of(int pid, int error, bool began) {
  evidence::Call call;
  call.pid = call.tid = pid;
  call.name = "select";
  call.args = pid == kClientPid ? "4, read=[3], 1000ms" : "6, read=[5], 1000ms";
  call.error = error;
  call.began = began;
  return call;
}

Story asked() {
  auto s = with_descriptors();
  return s.act('S', "recv 64", {.bytes = 6, .fd = 5});
}

Story& hangs_up(Story& s) { return s.act('S', "close", {.fd = 5}).wire("S>C FA").recv_eof('C').end(); }

// Told by the call, by the filter, or by both.
TEST(Select, AServerHangsUpOverAFiltersAnswer) {
  for (const bool call : {true, false})
    for (const bool filter : {true, false}) {
      if (!call && !filter) continue;
      auto s = asked();
      if (filter) s.filter(kServerPid, "select", "errno", EPERM);
      if (call) s.put(select_of(kServerPid, EPERM, false));
      EXPECT_VERDICT(hangs_up(s), "seccomp/errno", "confirmed");
      EXPECT_EQ(s.verdict().culprit.name, "select");
      EXPECT_EQ(s.verdict().culprit.detail, "EPERM");
    }
}

TEST(Select, LookAlikeItFailsOfItselfOrLongBefore) {
  auto misused = asked(), long_before = asked();
  misused.put(select_of(kServerPid, EBADF, true));
  EXPECT_VERDICT(hangs_up(misused), "application/closed", "confirmed");
  long_before.put(select_of(kServerPid, EPERM, false)).wait(3000);
  EXPECT_VERDICT(hangs_up(long_before), "application/closed", "likely");
}

TEST(Select, AFilterEndsTheProcessInIt) {
  for (const auto* action : {"kill-process", "kill-thread"}) {
    auto s = asked();
    s.filter(kServerPid, "select", action).wire("S>C FA").killed(kServerPid, SIGSYS).recv_eof('C').end();
    EXPECT_VERDICT(s, "seccomp/killed", "confirmed");
    EXPECT_EQ(s.verdict().culprit.name, "select");
  }
}

TEST(Select, LookAlikeAnotherSignalEndsTheProcessInIt) {
  auto s = asked();
  auto inside = select_of(kServerPid, 0, true);
  inside.returned = false;
  s.put(inside).signal(SIGKILL, kServerPid, 77).wire("S>C FA").killed(kServerPid, SIGKILL).recv_eof('C').end();
  EXPECT_VERDICT(s, "application/killed", "confirmed");
}

TEST(Select, AFilterKeepsTheThreadInIt) {
  for (const bool held : {true, false}) {
    auto s = asked();
    s.filter(kServerPid, "select", held ? "stall" : "kill-thread").process(kServerPid, "sleeping");
    s.recv_timeout('C', 500).end();
    EXPECT_VERDICT(s, held ? "seccomp/stalled" : "seccomp/killed", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "server");
  }
}

TEST(Select, LookAlikeTheServerWaitsInIt) {
  auto s = asked();
  auto inside = select_of(kServerPid, 0, true);
  inside.returned = false;
  s.put(inside).process(kServerPid, "sleeping").recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

// SECCOMP_RET_ERRNO with 0 returns 0 at once, as select does when its time is over.
TEST(Select, AFiltersNothingIsNoTimeThatWasOver) {
  for (const bool filtered : {true, false}) {
    auto s = asked();
    s.process(kServerPid, "sleeping");
    if (filtered)
      s.wait(500).filter(kClientPid, "select", "errno").put(select_of(kClientPid, 0, true));
    else
      look(s, "select", "4, read=[3], 500ms", 0);
    s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    if (filtered)
      EXPECT_NE(s.verdict().cause, "application/not-answering") << told(s.verdict());
    else
      EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
