#include "sandbox/decision.hpp"

#include <gtest/gtest.h>

namespace lab::sandbox {
namespace {

using scenario::FilterAction;

scenario::Seccomp sample() {
  return {
      .fallback = {.kind = FilterAction::log},
      .rules = {
          {.calls = {"read"}, .action = {.kind = FilterAction::fail, .error = 5}, .when = scenario::Range{.first = 2}},
          {.calls = {"write"}, .action = {.kind = FilterAction::trap}},
          {.calls = {"read", "write"}, .action = {.kind = FilterAction::stall}}}};
}

TEST(Decision, OrderIsTheFilesAndEndsWithTheFallback) {
  EXPECT_EQ(order_of(sample(), "read"), (std::vector<std::size_t>{0, 2, 3}));
  EXPECT_EQ(order_of(sample(), "write"), (std::vector<std::size_t>{1, 2, 3}));
  EXPECT_EQ(order_of(sample(), "close"), (std::vector<std::size_t>{3}));
}

TEST(Decision, OnlyTheFirstOfTheOrderMakesItStatic) {
  const auto seccomp = sample();
  EXPECT_TRUE(asks_notifier(seccomp, order_of(seccomp, "read")));
  EXPECT_FALSE(asks_notifier(seccomp, order_of(seccomp, "write")));
  EXPECT_FALSE(asks_notifier(seccomp, order_of(seccomp, "close")));
}

TEST(Decision, TheFallbackIsNeverConditional) {
  const auto seccomp = sample();
  EXPECT_TRUE(conditional(seccomp, 0));
  EXPECT_FALSE(conditional(seccomp, 1));
  EXPECT_FALSE(conditional(seccomp, 3));
  EXPECT_EQ(action_of(seccomp, 3).kind, FilterAction::log);
}

}  // namespace
}  // namespace lab::sandbox
