// What programs that are not the lab's own do: they wait in poll, and share descriptors with their children.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

constexpr int kChildPid = 21;

// The client has descriptor 3, the server 5.
Story with_descriptors() {
  Story s(Story::Acts::calls);
  s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3}).act('S', "accept", {.fd = 5});
  s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
  return s;
}

Story& look(Story& s, const std::string& call, const std::string& args, std::int64_t result, std::int64_t ms = 500) {
  s.wait(ms);
  const auto now = s.timeline().events.back().t_ns;
  return s.put(evidence::Call{
      .pid = kClientPid, .tid = kClientPid, .name = call, .args = args, .result = result, .start_ns = now});
}

TEST(Polled, AnAnswerThatNeverCameInTimeIsNotAnswering) {
  for (const auto& [call, args] :
       {std::pair("poll", "[3:POLLIN 4:POLLIN], 2, 500ms"), std::pair("epoll_wait", "7, [], 8, 500ms"),
        std::pair("select", "4, read=[3], 500ms")}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    s.process(kServerPid, "sleeping");
    look(s, call, args, 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "server");
  }
}

// An event loop that has waited in vain looks once more, without waiting, before it goes on.
TEST(Polled, ALookThatDoesNotWaitChangesNothing) {
  for (const auto& [call, args] : {std::pair("poll", "[3:POLLIN], 1, 0ms"), std::pair("epoll_wait", "7, [], 8, 0ms"),
                                   std::pair("select", "4, read=[3], 0ms")}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).process(kServerPid, "sleeping");
    look(s, call, args, 0);
    s.wait(1);
    const auto now = s.timeline().events.back().t_ns;
    s.put(
        evidence::Call{.pid = kClientPid, .tid = kClientPid, .name = call, .args = args, .start_ns = now + 1'000'000});
    s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
  }
}

// recvmmsg tells messages, splice its pipe, and some calls nobody sees: the queue says what was read.
TEST(Queues, KnowMoreThanCalls) {
  const auto waited_for = [](Story s, std::uint32_t queued) {
    s.socket('S', {.rq = queued, .pids = {kServerPid}}).process(kServerPid, "sleeping");
    look(s, "poll", "[3:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    return s.verdict().cause;
  };
  const auto unread = with_descriptors();
  auto all_read = with_descriptors();
  all_read.act('S', "recv 64", {.bytes = 6, .fd = 5});
  EXPECT_EQ(waited_for(unread, 6), "application/not-reading");
  EXPECT_EQ(waited_for(unread, 0), "application/not-answering");
  EXPECT_EQ(waited_for(all_read, 0), "application/not-answering");
  EXPECT_EQ(waited_for(all_read, 6), "application/not-reading") << "MSG_PEEK looks, and takes nothing away";
}

TEST(Polled, AnotherDescriptorIsNoneOfItsBusiness) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5});
  look(s, "poll", "[4:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_NE(s.verdict().cause, "application/not-answering");
}

TEST(Polled, WhatALaterLookFindsWasNotWaitedForInVain) {
  auto s = with_descriptors();
  look(s, "poll", "[3:POLLIN], 1, 100ms", 0, 100);
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  look(s, "poll", "[3:POLLIN=POLLIN], 1, 100ms", 1, 1);
  s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Polled, AConnectThatNothingAnswersIsNotHealthy) {
  Story s(Story::Acts::calls);
  s.act('C', "connect", {.error = EINPROGRESS, .fd = 3}).wire("C>S S 0");
  look(s, "poll", "[3:POLLOUT], 1, 1000ms", 0, 1000).act('C', "close", {.fd = 3}).end();
  EXPECT_EQ(s.verdict().cause, "connect/no-answer");
}

// netcat at the end of its input has said all it has, polls, and is told of the reset without a read.
TEST(HalfClosed, AResetThatNoCallMetIsTheOtherEnds) {
  auto s = with_descriptors();
  s.act('C', "shutdown write", {.fd = 3}).wire("C>S FA").wire("S>C A");
  s.act('S', "close", {.fd = 5}).wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE");
  s.counter("TcpExtTCPAbortOnClose", 1).counter("TcpOutRsts", 1).act('C', "close", {.fd = 3}).end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

// The kernel answers the FIN that comes between the socket's removal and its own reset.
TEST(HalfClosed, AFinThatMeetsASocketOnItsWayOutIsNoExpiredSocket) {
  auto s = with_descriptors();
  s.act('C', "shutdown write", {.fd = 3}).wire("C>S FA").built('S', "NO_SOCKET", "CLOSE").wire("S>C R");
  s.wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE").act('S', "close", {.fd = 5});
  s.counter("TcpExtTCPAbortOnClose", 1).counter("TcpOutRsts", 2).act('C', "close", {.fd = 3}).end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
}

// The parent closes its copy and goes on; what the child does decides.
Story forked(bool let_go = true) {
  auto s = with_descriptors();
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
  if (let_go) s.act('S', "close", {.fd = 5});
  s.wait(5);
  const auto local = *evidence::parse_address("127.0.0.1:8080"), peer = *evidence::parse_address("127.0.0.1:45000");
  return s.put(evidence::Call{.pid = kChildPid,
                              .tid = kChildPid,
                              .name = "recvfrom",
                              .result = 6,
                              .start_ns = s.timeline().events.back().t_ns,
                              .fd = 5,
                              .local = local,
                              .peer = peer});
}

TEST(Forked, AChildThatCrashesIsTheOneThatClosed) {
  auto s = forked();
  s.wait(5).killed(kChildPid, SIGSEGV).wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
}

// The parent comes to its close only when the child has crashed: its copy was the last, and no cause. Nobody else tells
// of the child's end where the parent reaps it.
Story let_go_too_late() {
  auto s = forked(false);
  s.signal(SIGSEGV, kChildPid, kChildPid).wait(5).wire("S>C FA").act('S', "close", {.ago = 1, .fd = 5});
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "wait4", .result = kChildPid});
  return s.wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
}

TEST(Forked, AChildThatCrashesBeforeItsParentLetsGo) {
  auto s = let_go_too_late();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
  EXPECT_EQ(s.drop_source("signals").verdict().status, Status::likely) << told(s.verdict());
}

TEST(Forked, LookAlikeTheParentReapsItsChildAndCloses) {
  auto s = forked(false);
  s.put(evidence::Call{.pid = kChildPid, .tid = kChildPid, .name = "exit_group", .args = "0", .returned = false});
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "wait4", .result = kChildPid}).wait(5);
  s.act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

// Which of the two came last is below what the clocks tell; the one that used the connection had ended by the FIN.
TEST(Forked, AChildThatExitsAsItsParentLetsGo) {
  auto s = forked(false);
  s.act('S', "close", {.fd = 5});
  s.put(evidence::Call{.pid = kChildPid, .tid = kChildPid, .name = "exit_group", .args = "3", .returned = false});
  s.wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

// A handler may swallow the signal: what it calls then says so.
TEST(Forked, LookAlikeAChildThatLivesOnAfterItsSignal) {
  auto s = forked();
  s.signal(SIGSEGV, kChildPid, kChildPid).wait(5);
  const auto now = s.timeline().events.back().t_ns;
  const auto local = *evidence::parse_address("127.0.0.1:8080"), peer = *evidence::parse_address("127.0.0.1:45000");
  s.put(evidence::Call{
      .pid = kChildPid, .tid = kChildPid, .name = "close", .start_ns = now, .fd = 5, .local = local, .peer = peer});
  s.wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Forked, AChildThatExitsIsTheOneThatClosed) {
  auto s = forked();
  s.wait(5).wire("S>C FA").exits(kChildPid, 3).wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

TEST(Forked, AChildThatNobodyReapsHasSaidThatItExits) {
  auto s = forked();
  s.put(evidence::Call{.pid = kChildPid, .tid = kChildPid, .name = "exit_group", .args = "3", .returned = false});
  s.wait(2).wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

// ---- copies of a descriptor, and who was the last to hold one

constexpr const char* kServer = "127.0.0.1:8080";
constexpr const char* kClient = "127.0.0.1:45000";

Story& call(Story& s, evidence::Call one, bool on_connection = true) {
  if (!one.pid) one.pid = kServerPid;
  one.tid = one.pid;
  if (on_connection) {
    one.local = *evidence::parse_address(kServer);
    one.peer = *evidence::parse_address(kClient);
  }
  return s.put(one);
}

Story& reads(Story& s, int pid) { return call(s, {.pid = pid, .name = "recvfrom", .result = 6, .fd = 5}); }
Story& begins_to_exit(Story& s, int pid, const std::string& status) {
  return call(s, {.pid = pid, .name = "exit_group", .args = status, .returned = false}, false);
}
Story& told_of_the_end(Story& s) { return s.wire("C>S A").recv_eof('C').act('C', "close", {.fd = 3}).wire("C>S FA"); }

// The FIN is sent inside the call, and the process ends at once.
TEST(Replaced, ADescriptorThatIsDupedOverIsClosed) {
  for (const auto* dup : {"dup2", "dup3"}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).wire("S>C FA");
    call(s, {.name = dup, .args = "4, 5", .result = 5, .start_ns = s.timeline().events.back().t_ns - 10'000, .fd = 5});
    told_of_the_end(begins_to_exit(s, kServerPid, "0")).exits(kServerPid, 0).end();
    EXPECT_VERDICT(s, "application/closed", "confirmed");
    EXPECT_EQ(s.verdict().culprit.name, dup);
  }
}

TEST(Replaced, LookAlikeItIsCopiedOrDupedOverItself) {
  for (const auto* args : {"5, 4", "5, 5"}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    call(s, {.name = "dup2", .args = args, .result = args[3] - '0', .fd = 5});
    begins_to_exit(s, kServerPid, "0").wire("S>C FA");
    told_of_the_end(s).exits(kServerPid, 0).end();
    EXPECT_VERDICT(s, "application/exited", "confirmed");
  }
}

Story swept(const std::string& args) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).wire("S>C FA");
  call(s, {.name = "close_range", .args = args, .start_ns = s.timeline().events.back().t_ns - 10'000}, false);
  begins_to_exit(s, kServerPid, "0");
  return told_of_the_end(s).exits(kServerPid, 0).end();
}

TEST(Replaced, ARangeThatHasItIsClosed) {
  auto s = swept("3, 4294967295, 0x0");
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "close_range");
}

// Beside it, or only marked for the next exec. What its descriptors were is not known for certain.
TEST(Replaced, LookAlikeTheRangeIsAnother) {
  auto marked = swept("3, 4294967295, 0x4");
  EXPECT_VERDICT(marked, "application/exited", "confirmed");
  auto beside = swept("6, 4294967295, 0x0");
  EXPECT_NOT_WRONGLY_CONFIRMED(beside, "application/exited");
}

Story& becomes(Story& s, int pid, const std::string& program) {
  return call(s, {.pid = pid, .name = "execve", .args = program, .target = program}, false);
}

// Its descriptor is close-on-exec, and the new program has copies of it.
TEST(Became, AProgramThatKeepsACopyEndsTheConnectionWhenItEnds) {
  for (const bool crashes : {false, true}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    call(s, {.name = "dup2", .args = "5, 0", .fd = 5});
    becomes(s, kServerPid, "sh").wait(300);
    if (crashes)
      s.signal(SIGSEGV, kServerPid, kServerPid);
    else
      begins_to_exit(s, kServerPid, "0");
    s.wire("S>C FA");
    told_of_the_end(s);
    (crashes ? s.killed(kServerPid, SIGSEGV) : s.exits(kServerPid, 0)).end();
    EXPECT_VERDICT(s, crashes ? "application/crashed" : "application/exited", "confirmed");
  }
}

TEST(Became, LookAlikeTheFinComesWithTheExec) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).wire("S>C FA");
  const auto began = s.timeline().events.back().t_ns - 10'000;
  call(s, {.name = "execve", .args = "sh", .start_ns = began, .target = "sh"}, false).wait(300);
  begins_to_exit(s, kServerPid, "0");
  told_of_the_end(s).exits(kServerPid, 0).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

// As inetd does: the child puts the connection on its standard input and becomes a program that may never read.
Story handed_on() {
  auto s = with_descriptors();
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
  s.act('S', "close", {.fd = 5});
  call(s, {.pid = kChildPid, .name = "dup2", .args = "5, 0", .fd = 5});
  becomes(s, kChildPid, "sh").wait(200);
  return s;
}

Story& reset_unread(Story& s) {
  s.wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE").recv_fails('C', ECONNRESET);
  return s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
}

TEST(HandedOn, TheProgramsEndIsTheConnections) {
  auto crashed = handed_on();
  crashed.signal(SIGSEGV, kChildPid, kChildPid);
  EXPECT_VERDICT(reset_unread(crashed), "application/crashed", "confirmed");
  auto exited = handed_on();
  EXPECT_VERDICT(reset_unread(begins_to_exit(exited, kChildPid, "3")), "application/exited", "confirmed");
}

TEST(HandedOn, LookAlikeTheProgramClosesIt) {
  auto s = handed_on();
  const auto began = s.timeline().events.back().t_ns;
  s.wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE");
  call(s, {.pid = kChildPid, .name = "close", .args = "0", .start_ns = began, .fd = 0});
  begins_to_exit(s, kChildPid, "0").recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
}

// The child closes what it has read from; its parent has a copy, and ends half a second later.
Story parent_has_a_copy(bool parent_ends) {
  auto s = with_descriptors();
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
  reads(s, kChildPid);
  const auto began = s.timeline().events.back().t_ns;
  if (!parent_ends) s.act('S', "close", {.fd = 5}).wire("S>C FA");
  call(s, {.pid = kChildPid, .name = "close", .args = "5", .start_ns = began, .fd = 5}).wait(500);
  s.signal(SIGKILL, kServerPid, kServerPid);
  if (parent_ends) s.wire("S>C FA");
  return told_of_the_end(s.killed(kServerPid, SIGKILL)).end();
}

TEST(LastCopy, GoesWithTheParentThatEndsLater) {
  auto s = parent_has_a_copy(true);
  EXPECT_VERDICT(s, "application/exited", "confirmed");
  EXPECT_EQ(s.verdict().culprit.pid, kServerPid);
}

TEST(LastCopy, LookAlikeTheParentHadLetGoBefore) {
  auto s = parent_has_a_copy(false);
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.verdict().culprit.pid, kChildPid);
}

// The child has crashed long ago; the parent closes the last copy, and exits later still.
Story closes_after_a_crash(bool known) {
  auto s = forked(false);
  s.signal(SIGSEGV, kChildPid, kChildPid).killed(kChildPid, SIGSEGV).wait(300);
  if (known)
    s.wire("S>C FA").act('S', "close", {.ago = 1, .fd = 5});
  else
    s.wire("S>C FA");
  told_of_the_end(s).wait(200);
  return begins_to_exit(s, kServerPid, "0").exits(kServerPid, 0).end();
}

TEST(LastCopy, IsClosedLongAfterAnotherHoldersCrash) {
  auto s = closes_after_a_crash(true);
  EXPECT_VERDICT(s, "application/closed", "likely");
}

TEST(LastCopy, AnExitThatBeganLaterIsNotHowItEnded) {
  auto s = closes_after_a_crash(false);
  const auto verdict = s.verdict();
  EXPECT_NE(verdict.status, Status::confirmed) << told(verdict);
  EXPECT_NE(verdict.cause, "application/exited") << told(verdict);
}

// ---- SO_LINGER taken back

Story lingers(const std::vector<std::string>& options) {
  auto s = with_descriptors();
  for (const auto& option : options)
    call(s, {.name = "setsockopt",
             .args = "5, SOL_SOCKET, SO_LINGER, " + option,
             .fd = 5,
             .linger_reset = option == "{onoff=1, linger=0}"});
  s.act('S', "close", {.fd = 5});
  return reset_unread(s);
}

TEST(Linger, TakenBackAsksForNoReset) {
  auto s = lingers({"{onoff=1, linger=0}", "{onoff=0, linger=0}"});
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
}

TEST(Linger, LookAlikeItIsSetAtLast) {
  auto s = lingers({"{onoff=0, linger=0}", "{onoff=1, linger=0}"});
  EXPECT_VERDICT(s, "application/reset", "confirmed");
}

// ---- a shutdown of its own

Story shuts_itself(const std::string& how, bool server_first) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).wait(200);
  if (server_first) s.act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  const evidence::Call shut{.pid = kClientPid,
                            .tid = kClientPid,
                            .name = "shutdown",
                            .args = "3, " + how,
                            .start_ns = s.timeline().events.back().t_ns + 10'000,
                            .fd = 3,
                            .local = *evidence::parse_address(kClient),
                            .peer = *evidence::parse_address(kServer)};
  s.put(shut).wire("C>S FA").wire("S>C A").act('C', "recv 64", {.bytes = 0, .fd = 3}).wait(300);
  if (!server_first) s.act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  return s.act('C', "close", {.fd = 3}).end();
}

TEST(ShutItself, ReadsAnEndOfFileOfItsOwn) {
  auto s = shuts_itself("SHUT_RDWR", false);
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(ShutItself, LookAlikeTheServerHadClosedBefore) {
  auto s = shuts_itself("SHUT_RDWR", true);
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

// It came back before the segment that is to have brought it about.
TEST(ShutItself, AnEndOfFileBeforeTheFinIsNotConfirmed) {
  auto s = shuts_itself("SHUT_WR", false);
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

// ---- one of two holders is stopped

Story one_is_stopped(int pid) {
  auto s = with_descriptors();
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
  reads(s, kChildPid).wait(200).signal(SIGSTOP, pid, kServerPid).process(kServerPid + kChildPid - pid, "sleeping");
  s.process(pid, "stopped");
  look(s, "poll", "[3:POLLIN], 1, 500ms", 0);
  return s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
}

TEST(StoppedHolder, ExplainsNothingWhileAnotherServes) {
  auto s = one_is_stopped(kServerPid);
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

TEST(StoppedHolder, LookAlikeTheOneThatServesIsStopped) {
  auto s = one_is_stopped(kChildPid);
  EXPECT_VERDICT(s, "application/stopped", "confirmed");
}

}  // namespace
}  // namespace lab::verdict
