// Staying awake for an answer.
#include "run/orders.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "run/watchers.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::run {
namespace {

constexpr std::int64_t kLong = 60'000'000'000, kShort = 1'000'000;  // ns

TEST(Orders, AnAnswerEndsTheWait) {
  auto pipe = sys::make_pipe();
  Orders orders(std::move(pipe.read));
  const std::int32_t answer = 5;
  ASSERT_EQ(::write(pipe.write.get(), &answer, sizeof answer), static_cast<ssize_t>(sizeof answer));
  const auto deadline = sys::Deadline::after_ns(kLong);
  orders.stay_awake(deadline);
  EXPECT_FALSE(deadline.passed());
  EXPECT_EQ(orders.answer(), 5);
}

TEST(Orders, SoDoesTheEndOfWhoeverWouldAnswer) {
  auto pipe = sys::make_pipe();
  Orders orders(std::move(pipe.read));
  pipe.write = {};
  const auto deadline = sys::Deadline::after_ns(kLong);
  orders.stay_awake(deadline);
  EXPECT_FALSE(deadline.passed());
  EXPECT_THROW(orders.answer(), sys::LabError);
}

TEST(Orders, TheDeadlineEndsItToo) {
  auto pipe = sys::make_pipe();
  Orders orders(std::move(pipe.read));
  const auto deadline = sys::Deadline::after_ns(kShort);
  orders.stay_awake(deadline);
  EXPECT_TRUE(deadline.passed());
}

TEST(Watchers, ALookThatWasAskedForIsDueOnce) {
  Watchers watchers;
  EXPECT_FALSE(watchers.look_is_due());
  watchers.look_soon();
  EXPECT_TRUE(watchers.look_is_due());
  EXPECT_FALSE(watchers.look_is_due());
}

}  // namespace
}  // namespace lab::run
