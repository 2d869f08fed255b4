#include <gtest/gtest.h>

#include "fake.hpp"

namespace lab::report {
namespace {

TEST(Result, Statuses) {
  EXPECT_EQ(exit_status(Result::pass), 0);
  EXPECT_EQ(exit_status(Result::fail), 1);
  EXPECT_EQ(exit_status(Result::inconclusive), 3);
  EXPECT_EQ(exit_status(Result::fault_not_fired), 5);
  EXPECT_EQ(exit_status(Result::skipped), 77);
  EXPECT_EQ(exit_status(Result::timeout), 124);
  EXPECT_EQ(exit_status(Result::error), 125);
  EXPECT_EQ(exit_status(Result::invalid), 2);
  EXPECT_EQ(name_of(Result::fault_not_fired), "fault-not-fired");
}

TEST(Result, TheWorstOfSeveral) {
  const int order[] = {125, 2, 124, 1, 5, 3, 77, 0};
  for (const int* a = order; a < std::end(order); ++a) {
    for (const int* b = a; b < std::end(order); ++b) {
      EXPECT_EQ(worst(*a, *b), *a);
      EXPECT_EQ(worst(*b, *a), *a);
    }
  }
}

// Values of R's binom::binom.confint(x, n, method = "wilson").
TEST(Interval, Wilson) {
  const auto near = [](std::uint64_t x, std::uint64_t n, double low, double high) {
    const auto [l, h] = interval95(x, n);
    EXPECT_NEAR(l, low, 5e-5) << x << " of " << n;
    EXPECT_NEAR(h, high, 5e-5) << x << " of " << n;
  };
  near(0, 10, 0, 0.27753);
  near(10, 10, 0.72247, 1);
  near(5, 10, 0.23659, 0.76341);
  near(98, 100, 0.93001, 0.99450);
  near(0, 0, 0, 1);
}

TEST(Tally, CountsOutcomesByTheKeysOfExpectations) {
  Tally tally;
  auto r = fake();
  r.actors[1].steps.push_back({"recv 64", "eof", 0, 0});
  tally.add(r);
  r.actors[1].steps[2].outcome = "ECONNRESET";
  tally.add(r);
  const auto d = tally.distribution();
  EXPECT_EQ(d.runs, 2U);
  const auto count = [&](const std::string& what) {
    for (const auto& line : d.outcomes) {
      if (line.what == what) return line.count;
    }
    return std::uint64_t{0};
  };
  EXPECT_EQ(count("client.recv = timeout"), 1U);
  EXPECT_EQ(count("client.recv = ECONNRESET"), 1U);
  EXPECT_EQ(count("client.recv#2 = eof"), 2U);
  EXPECT_EQ(count("client.exit = 0"), 2U);
  EXPECT_EQ(count("server.exit = stopped"), 2U);
  EXPECT_EQ(count("wire.closes = none"), 2U);
  ASSERT_EQ(d.causes.size(), 1U);
  EXPECT_EQ(d.causes[0].what, "firewall/drop");
  EXPECT_DOUBLE_EQ(d.causes[0].share, 1);
}

TEST(Tally, MemoryDoesNotGrowWithDifferentOutcomes) {
  Tally tally;
  auto r = fake();
  for (int i = 0; i < 1000; ++i) {
    r.actors[1].steps[2].outcome = std::to_string(i) + " bytes";
    tally.add(r);
  }
  std::size_t different = 0;
  for (const auto& line : tally.distribution().outcomes) different += line.what.starts_with("client.recv =");
  EXPECT_LE(different, 33U);
}

}  // namespace
}  // namespace lab::report
