#include "evidence/collectors/syscalls_repeats.hpp"

#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <cerrno>

#include "evidence/collectors/syscalls_decode.hpp"
#include "evidence/collectors/syscalls_restarts.hpp"

namespace lab::evidence {
namespace {

raw_call call_of(long nr, std::int64_t result, std::initializer_list<std::uint64_t> args = {}) {
  raw_call raw{};
  raw.header = {.t_ns = 2'000'000, .sandbox = 1, .kind = RAW_CALL};
  raw.start_ns = 1'000'000;
  raw.nr = static_cast<__u32>(nr);
  raw.result = result;
  raw.returned = 1;
  raw.pid = 5;
  raw.tid = 6;
  std::size_t i = 0;
  for (const auto arg : args) raw.args[i++] = arg;
  return raw;
}

const Ends some_ends{make_address(4, "\x7f\0\0\1", 8080), make_address(4, "\x7f\0\0\1", 45434)};

TEST(Repeats, ABurstIsToldThenOneAMillisecond) {
  Repeats repeats;
  auto call = call_of(SYS_recvfrom, 100, {4});
  const auto folded_at = [&](std::uint64_t t_ns) {
    call.header.t_ns = t_ns;
    return repeats.fold(call, 4, 0, some_ends);
  };
  int told = 0;
  for (int i = 0; i < 1000; ++i) told += !folded_at(1'000'000);
  EXPECT_EQ(told, RAW_BURST);
  EXPECT_FALSE(folded_at(2'000'000));
  EXPECT_EQ(call.folded, 1000u - RAW_BURST);
  EXPECT_EQ(call.folded_bytes, 100 * (1000u - RAW_BURST));
  EXPECT_TRUE(folded_at(2'500'000));
}

TEST(Repeats, AnotherOutcomeIsNoRepetition) {
  Repeats repeats;
  auto call = call_of(SYS_recvfrom, 100, {4});
  for (int i = 0; i < 1000; ++i) repeats.fold(call, 4, 0, some_ends);
  EXPECT_FALSE(repeats.fold(call, 4, -1, some_ends)) << "end of file";
  EXPECT_FALSE(repeats.fold(call, 4, ECONNRESET, some_ends));
  EXPECT_FALSE(repeats.fold(call, 5, 0, some_ends)) << "another descriptor";
  EXPECT_FALSE(repeats.fold(call, 4, 0, {})) << "the same number, another connection";
}

TEST(Repeats, TheLastOfThemIsNeverLost) {
  Repeats repeats;
  auto call = call_of(SYS_recvfrom, 100, {4});
  for (int i = 0; i < 100; ++i) {
    call.result = 100 + i;
    call.header.t_ns = 1'000'000 + static_cast<__u64>(i);
    repeats.fold(call, 4, 0, some_ends);
  }
  const auto rest = repeats.rest();
  EXPECT_EQ(rest.left_out, 100u - RAW_BURST);
  ASSERT_EQ(rest.events.size(), 1u);
  const auto& last = std::get<Call>(rest.events[0].what);
  EXPECT_EQ(last.result, 199);
  EXPECT_EQ(last.args, "4 [35 more like it, 6335 bytes]") << "its own are in the result";
  EXPECT_EQ(rest.events[0].t_ns, 1'000'099);
  EXPECT_EQ(last.name, "recvfrom");
  EXPECT_EQ(to_string(last.peer), "127.0.0.1:45434");
}

TEST(Repeats, ClosingWhatIsNotOpenIsOneRepetitionWhateverItsNumber) {
  Repeats repeats;
  int told = 0;
  for (int fd = 3; fd < 1000; ++fd) {
    auto call = call_of(SYS_close, -EBADF, {static_cast<std::uint64_t>(fd)});
    told += !repeats.fold(call, fd, EBADF, {});
  }
  EXPECT_EQ(told, RAW_BURST);
}

TEST(Restarts, ARestartedCallIsOneCall) {
  Restarts restarts;
  EXPECT_TRUE(restarts.pass({call_of(SYS_recvfrom, -512, {4, 1, 64}), {}}).empty());
  auto again = call_of(SYS_recvfrom, 5, {4, 1, 64});
  again.start_ns = 5'000'000;
  again.start_queued_ns = 700'000;
  again.header.t_ns = 6'000'000;
  const auto out = restarts.pass({again, {}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].raw.start_queued_ns, 0);
  EXPECT_EQ(out[0].raw.start_ns, 1'000'000u);
  EXPECT_EQ(out[0].raw.header.t_ns, 6'000'000u);
  EXPECT_EQ(out[0].raw.result, 5);
  EXPECT_TRUE(restarts.rest().empty());
}

TEST(Restarts, AnotherCallMeansThatTheProgramSawEintr) {
  Restarts restarts;
  restarts.pass({call_of(SYS_recvfrom, -512, {4, 1, 64}), {}});
  const auto out = restarts.pass({call_of(SYS_close, 0, {4}), {}});
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(std::get<Call>(call_event(out[0].raw, {}).what).error, EINTR);
  EXPECT_EQ(out[1].raw.nr, static_cast<__u32>(SYS_close));
}

TEST(Restarts, AWaitWithALimitGoesOnUnderAnotherNumber) {
  Restarts restarts;
  restarts.pass({call_of(SYS_poll, -516, {0x1000, 1, 1000}), {}});
  const auto out = restarts.pass({call_of(SYS_restart_syscall, 1, {0x1000, 1, 1000}), {}});
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].raw.nr, static_cast<__u32>(SYS_poll));
  EXPECT_TRUE(restarts.pass({call_of(SYS_restart_syscall, 0, {0x1000}), {}}).empty()) << "a sleep's";
}

TEST(Restarts, AStoppedThreadIsStillInside) {
  Restarts restarts;
  restarts.pass({call_of(SYS_recvfrom, -512, {4, 1, 64}), {}});
  const auto rest = restarts.rest();
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_FALSE(rest[0].raw.returned);
  EXPECT_EQ(rest[0].raw.header.t_ns, 1'000'000u);
}

TEST(Restarts, ThreadsAreApart) {
  Restarts restarts;
  restarts.pass({call_of(SYS_recvfrom, -512, {4, 1, 64}), {}});
  auto other = call_of(SYS_close, 0, {4});
  other.tid = 99;
  EXPECT_EQ(restarts.pass({other, {}}).size(), 1u);
}

}  // namespace
}  // namespace lab::evidence
