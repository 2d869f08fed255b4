// What a thread waited for a CPU is no time that it had to itself.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

constexpr int kWorker = 21;
constexpr std::int64_t kMs = 1'000'000;

evidence::Call call_of(int pid, const char* name, std::int64_t queued) {
  evidence::Call call{.pid = pid, .tid = pid, .name = name};
  call.queued_ns = call.start_queued_ns = queued;
  return call;
}

struct End {
  std::int64_t queued = -1;  // by its beginning, ns
  int tid = kServerPid;
  const char* child = nullptr;  // the call that makes one, right behind the failure
  bool closes = false;          // the connection, instead of its own end
  std::int64_t late = 0;        // ms from that call to the FIN
};

Story asked() {
  Story s(Story::Acts::calls);
  return s.handshake().send('C', 6).recv('S', 6);
}

// mmap() fails with `queued` on the thread's account.
Story& fails(Story& s, std::int64_t queued) {
  auto failed = call_of(kServerPid, "mmap", queued);
  failed.error = ENOMEM;
  failed.start_queued_ns = 0;
  return s.put(failed).limit(kServerPid, "as", 64 << 20, 63 << 20);
}

Story& ends(Story& s, const End& end) {
  auto last = call_of(kServerPid, end.closes ? "close" : "exit_group", end.queued);
  last.tid = end.tid;
  if (end.closes) {
    last.local = *evidence::parse_address("127.0.0.1:8080");
    last.peer = *evidence::parse_address("127.0.0.1:45000");
  } else {
    last.args = "1";
    last.returned = false;
  }
  s.put(last).wait(end.late).wire("S>C FA");
  if (!end.closes) s.exits(kServerPid, 1);
  return s.recv_eof('C').end();
}

// It ends 300 ms later.
Story runs_out_of_memory(std::int64_t queued, const End& end) {
  auto s = asked();
  fails(s, queued);
  if (end.child) {
    auto made = call_of(kServerPid, end.child, queued);
    made.result = kWorker;
    s.put(made);
  }
  s.wait(300);
  return ends(s, end);
}

TEST(Queued, AllTheTimeWasAWaitForACpu) {
  auto s = runs_out_of_memory(kMs, {.queued = 291 * kMs});
  EXPECT_VERDICT(s, "limits/memory", "confirmed");
}

TEST(Queued, ItHadMostOfTheTimeToItself) {
  auto s = runs_out_of_memory(kMs, {.queued = 201 * kMs});
  EXPECT_VERDICT(s, "limits/memory", "likely");
}

evidence::Call connect_of(const char* own, const char* peer, int error) {
  auto call = call_of(kServerPid, "connect", kMs);
  call.error = error;
  call.local = *evidence::parse_address(own);
  call.peer = *evidence::parse_address(peer);
  return call;
}

// A backend that refused is gone, too, but its connect has told it so. Another one that had answered, and goes while it
// waits for a CPU, may be why it ends.
TEST(Queued, TheBackendThatRefused) {
  for (const bool another_goes : {false, true}) {
    auto s = asked();
    s.from("127.0.0.1:46001").to("127.0.0.1:9001").wire("C>S S 0").wire("S>C SA 0").wire("C>S A");
    s.put(connect_of("127.0.0.1:46001", "127.0.0.1:9001", 0));
    s.from("127.0.0.1:46000").to("127.0.0.1:9000").wire("C>S S 0").wire("S>C RA 0");
    s.put(connect_of("127.0.0.1:46000", "127.0.0.1:9000", ECONNREFUSED)).wait(100);
    if (another_goes) s.from("127.0.0.1:46001").to("127.0.0.1:9001").wire("S>C R");
    s.from("127.0.0.1:45000").to("127.0.0.1:8080").wait(200);
    ends(s, {.queued = 291 * kMs, .closes = true});
    const auto verdict = s.judge().connections[0].verdict;
    EXPECT_EQ(verdict.cause, "application/backend-refused") << told(verdict);
    EXPECT_EQ(std::string(name_of(verdict.status)), another_goes ? "likely" : "confirmed") << told(verdict);
  }
}

// What it waited before the failure, and in the failed call, is another matter.
TEST(Queued, ItWaitedBeforeTheFailure) {
  auto s = runs_out_of_memory(290 * kMs, {.queued = 291 * kMs});
  EXPECT_VERDICT(s, "limits/memory", "likely");
}

TEST(Queued, NotTold) {
  auto nothing = runs_out_of_memory(-1, {});
  EXPECT_VERDICT(nothing, "limits/memory", "likely");
  auto half = runs_out_of_memory(-1, {.queued = 291 * kMs});
  EXPECT_VERDICT(half, "limits/memory", "likely");
}

TEST(Queued, AnotherThreadWaited) {
  auto s = runs_out_of_memory(kMs, {.queued = 291 * kMs, .tid = kWorker});
  EXPECT_VERDICT(s, "limits/memory", "likely");
}

// More than the time that went by: another's account.
TEST(Queued, MoreThanTheTimeThatWentBy) {
  auto s = runs_out_of_memory(kMs, {.queued = 3000 * kMs});
  EXPECT_VERDICT(s, "limits/memory", "likely");
}

TEST(Queued, ItCloses) {
  auto s = runs_out_of_memory(kMs, {.queued = 291 * kMs, .closes = true});
  EXPECT_VERDICT(s, "limits/memory", "confirmed");
}

// Who has a child or a thread is not alone with the connection, nor with its decisions.
TEST(Queued, ItIsNotAlone) {
  for (const auto* child : {"clone", "clone3", "fork"}) {
    auto s = runs_out_of_memory(kMs, {.queued = 291 * kMs, .child = child});
    EXPECT_VERDICT(s, "limits/memory", "likely");
  }
}

Story& backend(Story& s) { return s.from("127.0.0.1:46000").to("127.0.0.1:9090"); }
Story& own(Story& s) { return s.from("127.0.0.1:45000").to("127.0.0.1:8080"); }

evidence::Call of_backend(const char* name) {
  auto call = call_of(kServerPid, name, 0);
  call.local = *evidence::parse_address("127.0.0.1:46000");
  call.peer = *evidence::parse_address("127.0.0.1:9090");
  return call;
}

// What a step of its had forked shares its descriptors, and is in no call of its own.
TEST(Queued, ItWasAnActorOfSteps) {
  auto s = asked();
  evidence::StepDone fork{.role = "server", .pid = kServerPid, .tid = kServerPid, .verb = "fork", .outcome = "ok"};
  fork.start_ns = fork.end_ns = s.timeline().events.back().t_ns;
  s.put(fork);
  fails(s, kMs).wait(300);
  EXPECT_VERDICT(ends(s, {.queued = 291 * kMs}), "limits/memory", "likely");
}

// A FIN that it had not read when mmap failed may be what it went for.
TEST(Queued, AnotherConnectionEnded) {
  enum class Fin {
    none,
    read_before,
    before,
    behind
  } const all[] = {Fin::none, Fin::read_before, Fin::before, Fin::behind};
  for (const auto fin : all) {
    auto s = asked();
    backend(s).wire("C>S S 0").wire("S>C SA 0").wire("C>S A").put(of_backend("connect"));
    if (fin == Fin::read_before || fin == Fin::before) s.wire("S>C FA");
    if (fin == Fin::read_before) s.put(of_backend("recvfrom"));
    fails(s, kMs).wait(100);
    if (fin == Fin::behind) s.wire("S>C FA");
    s.wait(200);
    ends(own(s), {.queued = 291 * kMs});
    const auto first = s.judge().connections.front().verdict;
    EXPECT_EQ(first.cause, "limits/memory") << told(first);
    const bool disturbed = fin == Fin::before || fin == Fin::behind;
    EXPECT_EQ(first.status, disturbed ? Status::likely : Status::confirmed) << static_cast<int>(fin) << told(first);
  }
}

// So may the client's own, and a signal.
TEST(Queued, SomethingElseCame) {
  auto shut = asked();
  fails(shut, kMs).wait(100).wire("C>S FA").wait(200);
  EXPECT_VERDICT(ends(shut, {.queued = 291 * kMs}), "limits/memory", "likely");
  for (const int sender : {0, kProxyPid}) {
    auto signalled = asked();
    fails(signalled, kMs).wait(100).signal(SIGUSR1, kServerPid, sender).wait(200);
    EXPECT_VERDICT(ends(signalled, {.queued = 291 * kMs}), "limits/memory", "likely");
  }
  auto earlier = asked();
  earlier.signal(SIGUSR1, kServerPid, kProxyPid);
  fails(earlier, kMs).wait(300);
  EXPECT_VERDICT(ends(earlier, {.queued = 291 * kMs}), "limits/memory", "confirmed");
}

TEST(Queued, WhatElseCameIsNotKnown) {
  for (const auto* source : {"wire", "signals"}) {
    auto s = runs_out_of_memory(kMs, {.queued = 291 * kMs});
    s.drop_source(source);
    EXPECT_VERDICT(s, "limits/memory", "likely");
  }
}

// From the call that ends it to the FIN the time is the kernel's, if nobody else can have held the connection.
TEST(Queued, TheEndItselfTookLong) {
  auto exits = asked();
  EXPECT_VERDICT(ends(fails(exits, -1), {.late = 300}), "limits/memory", "confirmed");
  auto closes = asked();
  EXPECT_VERDICT(ends(fails(closes, -1), {.closes = true, .late = 300}), "limits/memory", "likely");
  auto parent = asked();
  auto made = call_of(kServerPid, "fork", -1);
  made.result = kWorker;
  fails(parent, -1).put(made);
  EXPECT_VERDICT(ends(parent, {.late = 300}), "limits/memory", "likely");
  auto shared = asked();
  fails(shared, -1).socket('S', {.when = "change", .pids = {kServerPid, kWorker}});
  EXPECT_VERDICT(ends(shared, {.late = 300}), "limits/memory", "likely");
}

// A client that a filter kept from connecting, and that got on without; or that only had no CPU.
TEST(Queued, AClientThatGivesUpOrGetsOn) {
  struct {
    std::int64_t ms, queued;
    bool signalled, gives_up;
  } const cases[] = {{300, 299 * kMs, false, true},
                     {300, 0, false, false},
                     {300, 299 * kMs, true, false},
                     {2500, 2499 * kMs, false, false}};
  for (const auto& one : cases) {
    Story s(Story::Acts::calls);
    auto failed = call_of(kClientPid, "openat2", 0);
    failed.error = EACCES;
    failed.began = false;
    auto exit = call_of(kClientPid, "exit_group", one.queued);
    exit.args = "0";
    exit.returned = false;
    s.put(failed).wait(one.ms);
    if (one.signalled) s.signal(SIGTERM, kClientPid, kProxyPid);
    s.put(exit).exits(kClientPid, 0).end();
    EXPECT_VERDICT(s, one.gives_up ? "seccomp/errno" : "connect/never-tried", one.gives_up ? "confirmed" : "likely");
  }
}

}  // namespace
}  // namespace lab::verdict
