// Failures that were got over, and those that were not: a connect onwards, a shortage, a filter's answer.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;
constexpr int kWorker = 21;

evidence::Address address(const char* text) { return *evidence::parse_address(text); }

// A call of the server's on something else than the connection.
evidence::Call of_server(const char* name, int error, const char* args = "", int tid = kServerPid) {
  evidence::Call call;
  call.pid = kServerPid;
  call.tid = tid;
  call.name = name;
  call.args = args;
  call.error = error;
  return call;
}

Story asked() {
  Story s(Acts::calls);
  s.handshake().send('C', 6).recv('S', 6);
  return s;
}
Story& hangs_up(Story& s) { return s.close('S').wire("S>C FA").recv_eof('C').end(); }

// ---- connects onwards

Story connects_in_vain(const char* type, std::int64_t pause) {
  auto s = asked();
  auto made = of_server("socket", 0, type);
  made.result = made.fd = 5;
  auto connect = of_server("connect", ENETUNREACH, "5, 8.8.8.8:53");
  connect.fd = 5;
  if (*type) s.put(made);
  s.put(connect).wait(pause);
  return s;
}

TEST(BackendRefused, ADatagramSocketGoesNowhere) {
  for (const std::int64_t pause : {0, 3000}) {
    auto s = connects_in_vain("AF_INET, SOCK_DGRAM|SOCK_CLOEXEC", pause);
    EXPECT_VERDICT(hangs_up(s), "application/closed", "confirmed");
  }
}

TEST(BackendRefused, LookAlikeAStreamOrWhoKnows) {
  for (const auto* type : {"AF_INET, SOCK_STREAM|SOCK_CLOEXEC", ""}) {
    auto s = connects_in_vain(type, 0);
    EXPECT_VERDICT(hangs_up(s), "application/backend-refused", "confirmed");
    auto later = connects_in_vain(type, 3000);
    EXPECT_VERDICT(hangs_up(later), "application/closed", "likely");
    auto soon = connects_in_vain(type, 100);
    EXPECT_VERDICT(hangs_up(soon), "application/backend-refused", "likely");
  }
}

// Who accepted it had handed it on, and went elsewhere for something of its own.
TEST(BackendRefused, LookAlikeAnotherProcessesConnect) {
  for (const int pid : {kServerPid, 22}) {
    auto s = asked();
    s.socket('S', {.when = "change", .pids = {22, kServerPid}});
    auto connect = of_server("connect", ECONNREFUSED);
    connect.pid = connect.tid = pid;
    s.put(connect);
    EXPECT_VERDICT(hangs_up(s), "application/backend-refused", pid == kServerPid ? "confirmed" : "likely");
  }
}

TEST(BackendRefused, ALocalServiceIsNotThere) {
  auto s = asked();
  auto made = of_server("socket", 0, "AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC");
  made.result = made.fd = 5;
  auto connect = of_server("connect", ECONNREFUSED);
  connect.fd = 5;
  s.put(made).put(connect);
  EXPECT_VERDICT(hangs_up(s), "application/backend-refused", "likely");
}

// It had closed when its next connect failed, and the client takes its time to notice.
TEST(BackendRefused, AConnectThatFailsWhenAllIsOver) {
  auto s = asked();
  s.close('S').wire("S>C FA").wait(5).put(of_server("connect", ECONNREFUSED)).put(of_server("clone", EAGAIN)).wait(5);
  s.recv_eof('C').end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

evidence::Call onwards(const char* local, const char* peer, int error, int tid = kServerPid) {
  auto call = of_server("connect", error, "", tid);
  call.fd = 7;
  call.local = address(local);
  call.peer = address(peer);
  return call;
}

TEST(BackendRefused, TheOtherFamilyAnsweredAndItHungUpByChoice) {
  auto s = asked();
  s.put(onwards("[::]:46000", "[::1]:9000", ECONNREFUSED)).put(onwards("127.0.0.1:46001", "127.0.0.1:9000", 0));
  s.from("127.0.0.1:46001").to("127.0.0.1:9000").wire("C>S S 0").wire("S>C SA 0").wire("C>S A").wire("C>S FA");
  s.wire("S>C FA").from("127.0.0.1:45000").to("127.0.0.1:8080");
  hangs_up(s);
  EXPECT_EQ(s.judge().connections[0].verdict.cause, "application/closed") << told(s.judge().connections[0].verdict);
}

TEST(BackendRefused, LookAlikeBothFamiliesRefuse) {
  auto s = asked();
  s.put(onwards("[::]:46000", "[::1]:9000", ECONNREFUSED));
  s.put(onwards("0.0.0.0:46001", "127.0.0.1:9000", ECONNREFUSED));
  hangs_up(s);
  EXPECT_EQ(s.judge().connections[0].verdict.cause, "application/backend-refused");
  EXPECT_EQ(s.judge().connections[0].verdict.status, Status::confirmed) << told(s.judge().connections[0].verdict);
}

// Two connections; what the first wanted is not there and it is told so. The second is closed.
Story two_served(bool answers_first, std::int64_t pause) {
  auto s = asked();
  s.from("127.0.0.1:45001").handshake().send('C', 6).recv('S', 6);
  s.put(onwards("0.0.0.0:46001", "127.0.0.1:9000", ECONNREFUSED));
  if (answers_first) s.from("127.0.0.1:45000").send('S', 3).recv('C', 3).from("127.0.0.1:45001");
  s.wait(pause).close('S').wire("S>C FA").recv_eof('C').end();
  return s;
}

Verdict second_of(Story& s) {
  for (const auto& connection : s.judge().connections)
    if (connection.client.port == 45001) return connection.verdict;
  return {};
}

TEST(BackendRefused, AnotherConnectionWasMeant) {
  for (const std::int64_t pause : {0, 3000}) {
    auto s = two_served(true, pause);
    EXPECT_EQ(second_of(s).cause, "application/closed") << told(second_of(s));
    EXPECT_EQ(second_of(s).status, Status::likely);
  }
}

TEST(BackendRefused, LookAlikeTheOtherConnectionIsLeftAlone) {
  auto s = two_served(false, 0);
  EXPECT_EQ(second_of(s).cause, "application/backend-refused") << told(second_of(s));
  EXPECT_EQ(second_of(s).status, Status::confirmed);
}

// ---- shortages

TEST(Descriptors, AnotherThreadsShortageIsNoCause) {
  auto s = asked();
  s.put(of_server("openat", EMFILE, "", kWorker)).limit(kServerPid, "nofile", 12, 12).wait(3000);
  EXPECT_VERDICT(hangs_up(s), "application/closed", "likely");
  auto at_once = asked();
  at_once.put(of_server("openat", EMFILE, "", kWorker)).limit(kServerPid, "nofile", 12, 12);
  EXPECT_NOT_WRONGLY_CONFIRMED(hangs_up(at_once), "application/closed");
}

TEST(Descriptors, LookAlikeItsOwnThreads) {
  auto s = asked();
  s.put(of_server("openat", EMFILE)).limit(kServerPid, "nofile", 12, 12);
  EXPECT_VERDICT(hangs_up(s), "limits/descriptors", "confirmed");
}

TEST(Processes, AForkThatFailedLongBefore) {
  auto s = asked();
  s.put(of_server("clone", EAGAIN)).limit(kServerPid, "nproc", 1, 1).wait(3000);
  EXPECT_VERDICT(hangs_up(s), "application/closed", "likely");
}

// A busy machine, or a program that took its time: which of the two is not known.
TEST(Processes, AForkThatFailedAMomentBefore) {
  auto s = asked();
  s.put(of_server("clone", EAGAIN)).limit(kServerPid, "nproc", 1, 1).wait(300);
  EXPECT_VERDICT(hangs_up(s), "limits/processes", "likely");
}

TEST(Processes, LookAlikeTriedAgainUntilItGivesUp) {
  auto s = asked();
  s.put(of_server("clone", EAGAIN)).limit(kServerPid, "nproc", 1, 1).wait(3000).put(of_server("clone", EAGAIN));
  EXPECT_VERDICT(hangs_up(s), "limits/processes", "confirmed");
}

TEST(Memory, ARangeThatIsNotThereIsNoShortage) {
  for (const auto* call : {"mprotect", "madvise", "mremap", "munmap", "brk"}) {
    auto s = asked();
    s.put(of_server(call, ENOMEM));
    EXPECT_VERDICT(hangs_up(s), "application/closed", "confirmed");
  }
}

TEST(Memory, AMapThatIsRefused) {
  auto tolerated = asked();
  tolerated.put(of_server("mmap", ENOMEM)).wait(3000);
  EXPECT_VERDICT(hangs_up(tolerated), "application/closed", "likely");
  auto no_limit = asked();
  no_limit.put(of_server("mmap", ENOMEM));
  EXPECT_VERDICT(hangs_up(no_limit), "limits/memory", "likely");
  auto limited = asked();
  limited.put(of_server("mmap", ENOMEM)).limit(kServerPid, "as", 64 << 20, 63 << 20);
  EXPECT_VERDICT(hangs_up(limited), "limits/memory", "confirmed");
  auto ends = asked();
  ends.put(of_server("mmap", ENOMEM)).wire("S>C FA").killed(kServerPid, SIGABRT).recv_eof('C').end();
  EXPECT_VERDICT(ends, "limits/memory", "confirmed");
}

// ---- filters

evidence::Call answered(const char* name, int tid = kServerPid) {
  auto call = of_server(name, EPERM, "", tid);
  call.began = false;
  return call;
}

TEST(SeccompErrno, ACallThatItDidWithout) {
  auto s = asked();
  s.put(answered("openat2")).wait(3000);
  EXPECT_VERDICT(hangs_up(s), "application/closed", "likely");
  auto other_thread = asked();
  other_thread.put(answered("openat2", kWorker));
  EXPECT_VERDICT(hangs_up(other_thread), "application/closed", "likely");
  auto went_on = asked();
  went_on.put(answered("openat2")).act('C', "send 6", {.bytes = 6}).wire("C>S PA 7:13").wire("S>C A").recv('S', 6);
  EXPECT_NE(hangs_up(went_on).verdict().cause, "seccomp/errno") << told(went_on.verdict());
}

TEST(SeccompErrno, LookAlikeACallThatItCanNotDoWithout) {
  auto s = asked();
  s.put(answered("openat2"));
  EXPECT_VERDICT(hangs_up(s), "seccomp/errno", "confirmed");
  auto soon = asked();
  soon.put(answered("openat2")).wait(100);
  EXPECT_VERDICT(hangs_up(soon), "seccomp/errno", "likely");
}

// An option of this very socket: the same, for it is no use of the connection.
TEST(SeccompErrno, AnOptionThatItDidWithout) {
  for (const std::int64_t pause : {0, 3000}) {
    auto s = asked();
    auto option = answered("setsockopt");
    option.local = address("127.0.0.1:8080");
    option.peer = address("127.0.0.1:45000");
    s.put(option).wait(pause);
    EXPECT_VERDICT(hangs_up(s), pause ? "application/closed" : "seccomp/errno", pause ? "likely" : "confirmed");
  }
}

// It keeps the connection and says nothing: for that reason or another.
TEST(SeccompErrno, ACallThatItDidWithoutAndNoAnswer) {
  for (const bool spawn : {true, false}) {
    auto s = asked();
    s.put(answered(spawn ? "clone3" : "setsockopt")).waiting('S', "sleep", true).process(kServerPid, "sleeping");
    s.recv_timeout('C', 500).end();
    EXPECT_VERDICT(s, "seccomp/errno", spawn ? "confirmed" : "likely");
  }
}

// A client that never connects: what a filter failed for it was long ago, or the last that it did.
TEST(NeverTried, ACallThatItDidWithout) {
  for (const std::int64_t pause : {0, 3000}) {
    Story s(Acts::calls);
    auto call = answered("openat2");
    call.pid = call.tid = kClientPid;
    s.put(call).wait(pause);
    s.put(evidence::Call{.pid = kClientPid, .tid = kClientPid, .name = "exit_group", .args = "0", .returned = false});
    s.exits(kClientPid, 0).end();
    EXPECT_VERDICT(s, pause ? "connect/never-tried" : "seccomp/errno", pause ? "likely" : "confirmed");
  }
}

// Failed on the first connection, which is answered; the second is closed, and the process ends.
TEST(SeccompErrno, AnotherConnectionWasMeant) {
  auto s = asked();
  s.from("127.0.0.1:45001").handshake().send('C', 6).recv('S', 6);
  auto option = answered("setsockopt");
  option.local = address("127.0.0.1:8080");
  option.peer = address("127.0.0.1:45000");
  s.put(option).from("127.0.0.1:45000").send('S', 2).recv('C', 2).from("127.0.0.1:45001");
  s.close('S').wire("S>C FA").recv_eof('C').exits(kServerPid, 0).end();
  EXPECT_EQ(second_of(s).cause, "application/closed") << told(second_of(s));
  EXPECT_EQ(second_of(s).status, Status::likely);
}

TEST(SeccompKilled, AThreadThatHadNothingToDoWithIt) {
  for (const int tid : {kWorker, kServerPid}) {
    auto s = asked();
    s.put(evidence::FilterAct{.pid = kServerPid, .tid = tid, .call = "chmod", .action = "kill-thread"}).wait(3000);
    hangs_up(s);
    if (tid == kWorker)
      EXPECT_VERDICT(s, "application/closed", "likely");
    else
      EXPECT_VERDICT(s, "seccomp/killed", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
