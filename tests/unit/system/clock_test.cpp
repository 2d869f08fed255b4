#include "system/clock.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace lab::sys {
namespace {

// Readings of clocks that are 5000 ns apart, in turn, over and over.
class Readings {
 public:
  explicit Readings(std::vector<BothClocks> all) : all_(std::move(all)) {}
  std::int64_t ahead() {
    return realtime_ahead_ns([this] { return all_[taken_++ % all_.size()]; });
  }
  std::size_t taken() const { return taken_; }

 private:
  std::vector<BothClocks> all_;
  std::size_t taken_ = 0;
};

TEST(RealtimeAhead, AnUndisturbedReadingIsTakenAtOnce) {
  Readings readings({{100, 5150, 200}});
  EXPECT_EQ(readings.ahead(), 5000);
  EXPECT_EQ(readings.taken(), 1U);
}

TEST(RealtimeAhead, AReadingThatLostTheCpuBehindRealtimeDoesNotCount) {
  Readings readings({{100, 5150, 4'000'100}, {4'000'200, 4'005'250, 4'000'300}});
  EXPECT_EQ(readings.ahead(), 5000);
}

TEST(RealtimeAhead, NorDoesOneThatLostItBefore) {
  Readings readings({{100, 4'005'050, 4'000'100}, {4'000'200, 4'005'250, 4'000'300}});
  EXPECT_EQ(readings.ahead(), 5000);
}

TEST(RealtimeAhead, OfDisturbedOnesTheQuickestCounts) {
  Readings readings({{0, 5000, 90'000}, {100'000, 106'000, 102'000}, {200'000, 205'000, 290'000}});
  EXPECT_EQ(readings.ahead(), 5000);
  EXPECT_GT(readings.taken(), 3U);
}

}  // namespace
}  // namespace lab::sys
