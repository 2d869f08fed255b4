// How long a thread waited for a CPU, beside its calls.
#include <gtest/gtest.h>

#include <sstream>

#include "played.hpp"
#include "strace.hpp"

namespace lab::test {
namespace {

// Two that compete for one CPU until one has waited for 20 ms of it. It reads what the scheduler says itself.
constexpr const char* competes = R"(
import os, sys
def waited(): return int(open('/proc/thread-self/schedstat').read().split()[1])
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
other = os.fork()
while other == 0: pass
first = waited()
while waited() < first + 20_000_000: pass
before = waited()
try: os.close(99)
except OSError: pass
print(before, waited(), file=sys.stderr, flush=True)
os.kill(other, 9)
os.waitpid(other, 0)
)";

TEST(QueuedByBpf, IsWhatTheSchedulerSays) {
  NEEDS_BPF();
  Played played;
  std::istringstream report(standard_error_of([&] { played = by_bpf(script(competes)); }));
  std::int64_t before = 0, after = 0;
  ASSERT_TRUE(report >> before >> after) << report.str();
  const auto failed = played.all<evidence::Call>([](const auto& call) { return call.name == "close" && call.error; });
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_GE(failed[0].start_queued_ns, before);
  EXPECT_GE(failed[0].queued_ns, failed[0].start_queued_ns);
  EXPECT_LE(failed[0].queued_ns, after);
  const auto ends = played.calls("exit_group");
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_GE(ends[0].queued_ns, after);
  EXPECT_EQ(ends[0].queued_ns, ends[0].start_queued_ns);
}

TEST(QueuedByPtrace, IsNotTold) {
  for (const auto& call : by_ptrace(script("import os; os.closerange(3, 9)")).all<evidence::Call>()) {
    EXPECT_EQ(call.queued_ns, -1) << call.name;
    EXPECT_EQ(call.start_queued_ns, -1) << call.name;
  }
}

}  // namespace
}  // namespace lab::test
