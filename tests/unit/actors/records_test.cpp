// What actors leave in shared memory, and how it is told.
#include "actors/records.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lab::actors {
namespace {

StepRecord step(std::uint32_t index) {
  StepRecord record;
  record.index = index;
  return record;
}

TEST(Outcomes, AsTheContractNamesThem) {
  const auto text = [](Outcome outcome, std::int64_t bytes = -1, int error = 0) {
    StepRecord record;
    record.outcome = static_cast<std::uint8_t>(outcome);
    record.bytes = bytes;
    record.error = error;
    return text_of(record);
  };
  EXPECT_EQ(text(Outcome::not_reached), "not reached");
  EXPECT_EQ(text(Outcome::running), "stopped");
  EXPECT_EQ(text(Outcome::ok), "ok");
  EXPECT_EQ(text(Outcome::bytes, 1), "1 bytes");
  EXPECT_EQ(text(Outcome::bytes, 64), "64 bytes");
  EXPECT_EQ(text(Outcome::eof), "eof");
  EXPECT_EQ(text(Outcome::timeout), "timeout");
  EXPECT_EQ(text(Outcome::mismatch), "mismatch");
  EXPECT_EQ(text(Outcome::error, -1, ECONNRESET), "ECONNRESET");
}

TEST(Records, AStepIsRunningUntilItEnds) {
  Records records(1, 2, 1);
  records.begin_turn(0, 0);
  {
    Entry entry(records, 0, 0, step(1));
    EXPECT_EQ(text_of(*records.at(0, 0, 1)), "stopped");
    EXPECT_GT(records.at(0, 0, 1)->start_ns, 0);
    EXPECT_EQ(records.at(0, 0, 1)->end_ns, 0);
    entry.end(Outcome::bytes, 0, 7);
  }
  EXPECT_EQ(text_of(*records.at(0, 0, 1)), "7 bytes");
  EXPECT_EQ(text_of(*records.at(0, 0, 0)), "not reached");
  EXPECT_GE(records.at(0, 0, 1)->end_ns, records.at(0, 0, 1)->start_ns);
}

TEST(Records, AnotherProcessesStepsAreSeen) {
  Records records(3, 4, 2);
  const pid_t child = ::fork();
  if (child == 0) {
    records.begin_turn(2, 1);
    Entry(records, 2, 1, step(3)).failed(EPIPE, Via::socket);
    records.fail(Failed::lab, "told by a child");
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  ASSERT_NE(records.at(2, 1, 3), nullptr);
  EXPECT_EQ(text_of(*records.at(2, 1, 3)), "EPIPE");
  EXPECT_EQ(records.at(2, 1, 3)->via, Via::socket);
  EXPECT_EQ(records.failure(), "told by a child");
}

TEST(Records, ForeverHasAnEndToItsMemory) {
  Records records(1, 16, {});
  const std::uint64_t half = 65536 / 16 / 2, turns = 100'000;
  for (std::uint64_t turn = 0; turn < turns; ++turn) {
    records.begin_turn(0, turn);
    Entry(records, 0, turn, step(5)).ok();
  }
  const auto kept = records.kept_turns(0);
  ASSERT_EQ(kept.size(), 2 * half);
  EXPECT_EQ(kept.front(), 0U);
  EXPECT_EQ(kept[half - 1], half - 1);
  EXPECT_EQ(kept[half], turns - half);
  EXPECT_EQ(kept.back(), turns - 1);
  EXPECT_EQ(records.at(0, half, 5), nullptr);
  EXPECT_EQ(text_of(*records.at(0, turns - 1, 5)), "ok");
  const auto counts = records.tallies();
  ASSERT_EQ(counts.size(), 1U);
  EXPECT_EQ(counts[0].count, turns);
}

TEST(Records, ATurnThatIsNotKeptAnyMoreIsLeftAlone) {
  Records records(1, 60000, {});  // two turns fit: the first and the last
  records.begin_turn(0, 0);
  records.begin_turn(0, 1);
  Entry late(records, 0, 1, step(0));
  records.begin_turn(0, 2);
  Entry(records, 0, 1, step(7)).ok();
  EXPECT_EQ(text_of(*records.at(0, 2, 7)), "not reached");
}

TEST(Records, CountsOutcomesApart) {
  Records records(2, 1, 1000);
  for (std::uint32_t instance = 0; instance < 2; ++instance) {
    for (std::uint64_t turn = 0; turn < 10; ++turn) {
      records.begin_turn(instance, turn);
      Entry entry(records, instance, turn, step(0));
      turn % 2 ? entry.failed(ECONNRESET) : entry.end(Outcome::bytes, 0, static_cast<std::int64_t>(turn));
    }
  }
  const auto counts = records.tallies();
  ASSERT_EQ(counts.size(), 2U);
  EXPECT_EQ(counts[0].outcome, "bytes");
  EXPECT_EQ(counts[1].outcome, "ECONNRESET");
  EXPECT_EQ(counts[0].count, 10U);
  EXPECT_EQ(counts[1].count, 10U);
}

TEST(Records, ManyDifferentOutcomesShareTheLastCount) {
  Records records(1, 1, 100);
  for (int error = 1; error <= 40; ++error) {
    records.begin_turn(0, static_cast<std::uint64_t>(error));
    Entry(records, 0, static_cast<std::uint64_t>(error), step(0)).failed(error);
  }
  std::uint64_t all = 0;
  for (const auto& tally : records.tallies()) all += tally.count;
  EXPECT_EQ(all, 40U);
}

TEST(Records, TheFirstFailureStays) {
  Records records(1, 1, 1);
  EXPECT_EQ(records.failure(), "");
  records.fail(Failed::program, "first");
  records.fail(Failed::lab, "second");
  EXPECT_EQ(records.failure(), "first");
  EXPECT_EQ(records.failed(), Failed::program);
  Records longest(1, 1, 1);
  longest.fail(Failed::lab, std::string(5000, 'x'));
  EXPECT_EQ(longest.failure().size(), 1023U);
}

TEST(Records, TheLastToArriveLetsEveryoneGo) {
  Records records(3, 1, 1);
  records.arrive(0);
  records.arrive(0);
  records.arrive(2);
  EXPECT_EQ(records.front().go.load(), 0U);
  records.arrive(1);
  EXPECT_EQ(records.front().go.load(), 1U);
}

}  // namespace
}  // namespace lab::actors
