// Copies of a connection's descriptor, and who was the last to hold one.
#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

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

// A child's connect onwards fails; one of the two shuts the connection down, and the parent closes its copy only then.
TEST(ShutItself, AParentClosesItsCopyBehindAChildsShutdown) {
  const struct {
    int pid;
    bool closes;
  } all[] = {{kChildPid, false}, {kChildPid, true}, {kServerPid, false}};
  for (const auto& shuts : all) {
    auto s = with_descriptors();
    call(s, {.name = "clone", .result = kChildPid}, false);
    s.socket('S', {.when = "change", .rq = 6, .pids = {kServerPid, kChildPid}});
    call(s, {.pid = kChildPid, .name = "connect", .error = ECONNREFUSED, .fd = 6}, false);
    call(s, {.pid = shuts.pid, .name = "shutdown", .args = "5, SHUT_RDWR", .fd = 5}).wire("S>C FA");
    if (shuts.closes) call(s, {.pid = shuts.pid, .name = "close", .args = "5", .start_ns = s.now(), .fd = 5});
    told_of_the_end(s.act('S', "close", {.fd = 5})).end();
    EXPECT_VERDICT(s, "application/backend-refused", shuts.pid == kChildPid ? "confirmed" : "likely");
  }
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
