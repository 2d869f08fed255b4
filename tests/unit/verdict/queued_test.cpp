// What a thread waited for a CPU is no time that it had to itself.
#include <cerrno>

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
};

// mmap() fails with `queued` on the thread's account, and the server exits 300 ms later.
Story runs_out_of_memory(std::int64_t queued, End end) {
  Story s(Story::Acts::calls);
  s.handshake().send('C', 6).recv('S', 6);
  auto failed = call_of(kServerPid, "mmap", queued);
  failed.error = ENOMEM;
  failed.start_queued_ns = 0;
  auto exit = call_of(kServerPid, "exit_group", end.queued);
  exit.args = "1";
  exit.returned = false;
  exit.tid = end.tid;
  return s.put(failed).wait(300).put(exit).wire("S>C FA").exits(kServerPid, 1).recv_eof('C').end();
}

TEST(Queued, AllTheTimeWasAWaitForACpu) {
  auto s = runs_out_of_memory(kMs, {.queued = 291 * kMs});
  EXPECT_VERDICT(s, "limits/memory", "confirmed");
}

TEST(Queued, ItHadMostOfTheTimeToItself) {
  auto s = runs_out_of_memory(kMs, {.queued = 201 * kMs});
  EXPECT_VERDICT(s, "limits/memory", "likely");
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

// From the call that ends it to the FIN the time is the kernel's.
TEST(Queued, TheEndItselfTookLong) {
  Story s(Story::Acts::calls);
  s.handshake().send('C', 6).recv('S', 6);
  auto failed = call_of(kServerPid, "mmap", -1);
  failed.error = ENOMEM;
  auto exit = call_of(kServerPid, "exit_group", -1);
  exit.args = "1";
  exit.returned = false;
  s.put(failed).put(exit).wait(90).wire("S>C FA").exits(kServerPid, 1).recv_eof('C').end();
  EXPECT_VERDICT(s, "limits/memory", "confirmed");
}

// A client that a filter kept from connecting, and that got on without; or that only had no CPU.
TEST(Queued, AClientThatGivesUpOrGetsOn) {
  for (const bool starved : {true, false}) {
    Story s(Story::Acts::calls);
    auto failed = call_of(kClientPid, "openat2", 0);
    failed.error = EACCES;
    failed.began = false;
    auto exit = call_of(kClientPid, "exit_group", starved ? 300 * kMs : 0);
    exit.args = "0";
    exit.returned = false;
    s.put(failed).wait(300).put(exit).exits(kClientPid, 0).end();
    EXPECT_VERDICT(s, starved ? "seccomp/errno" : "connect/never-tried", starved ? "confirmed" : "likely");
  }
}

}  // namespace
}  // namespace lab::verdict
