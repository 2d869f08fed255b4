#include "evidence/collectors/folding.hpp"

#include <gtest/gtest.h>

namespace lab::evidence {
namespace {

Segment bulk(std::uint32_t seq, std::uint32_t length) {
  return {.device = "lo",
          .source = *parse_address("127.0.0.1:45000"),
          .target = *parse_address("127.0.0.1:8080"),
          .flags = "A",
          .seq = seq,
          .ack = 1,
          .length = length,
          .window = 512};
}

// 12 GiB: its sequence numbers come round almost three times.
TEST(Folding, WhatIsToldNeverLeavesOutMoreThanNumbersCanSay) {
  constexpr std::uint32_t kLength = 64U << 20;
  constexpr std::uint64_t kAll = 12ULL << 30;
  std::uint64_t told = 0, segments = 0;
  std::uint32_t next = 7;
  const auto count = [&](std::int64_t, Segment&& segment) {
    const auto end = segment.seq + segment.length;
    EXPECT_LT(end - next, 1U << 31);
    told += end - next;
    next = end;
    ++segments;
  };
  Folding folding;
  for (std::uint64_t sent = 0; sent < kAll; sent += kLength)
    folding.put(1, bulk(static_cast<std::uint32_t>(7 + sent), kLength), count);
  folding.flush(count);
  EXPECT_EQ(told, kAll);
  EXPECT_LT(segments, 64 + 12);
  EXPECT_EQ(folding.folded() + segments, kAll / kLength);
}

}  // namespace
}  // namespace lab::evidence
