#include "firewall/counts.hpp"

#include <gtest/gtest.h>

namespace lab::firewall {
namespace {

TEST(Counts, BeginAtZeroAndEveryColumnStays) {
  EXPECT_EQ(from_zero("tcp dport 80 counter packets 123 bytes 4567 drop\ncounter\tpackets 1  bytes 2"),
            "tcp dport 80 counter packets 0   bytes 0    drop\ncounter\tpackets 0  bytes 0");
}

TEST(Counts, WhatOnlyLooksLikeOneStays) {
  for (const auto* text : {"", "packets", "counter packets 5", "counter", "ct original packets > 5 bytes 7",
                           "comment \"counter packets 5 bytes 6\"", "packets 5, bytes 6", "\"packets 5 bytes 6",
                           "limit rate over 5 mbytes/second burst 7 packets drop", "quota 5 bytes used 6 bytes"})
    EXPECT_EQ(from_zero(text), text);
}

}  // namespace
}  // namespace lab::firewall
