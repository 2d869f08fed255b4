#include "evidence/address.hpp"

#include <gtest/gtest.h>

namespace lab::evidence {
namespace {

TEST(Address, IsPrintedAsPeopleWriteIt) {
  const std::uint8_t four[] = {127, 0, 0, 1};
  EXPECT_EQ(to_string(make_address(4, four, 8080)), "127.0.0.1:8080");
  std::uint8_t six[16] = {};
  six[15] = 1;
  EXPECT_EQ(to_string(make_address(6, six, 443)), "[::1]:443");
  EXPECT_EQ(to_string(Address{}), "");
}

TEST(Address, MappedIsTheIpv4Address) {
  const std::uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3};
  const std::uint8_t four[] = {10, 1, 2, 3};
  EXPECT_EQ(make_address(6, mapped, 5), make_address(4, four, 5));
  EXPECT_EQ(*parse_address("[::ffff:10.1.2.3]:5"), make_address(4, four, 5));
}

TEST(Address, UnknownFamilyIsUnknown) {
  const std::uint8_t bytes[16] = {1};
  EXPECT_FALSE(make_address(1, bytes, 5).known());
}

class RoundTrip : public testing::TestWithParam<const char*> {};
TEST_P(RoundTrip, ParseIsTheInverse) {
  const auto address = parse_address(GetParam());
  ASSERT_TRUE(address);
  EXPECT_EQ(to_string(*address), GetParam());
}
INSTANTIATE_TEST_SUITE_P(Addresses, RoundTrip,
                         testing::Values("", "0.0.0.0:0", "255.255.255.255:65535", "[::]:0", "[fe80::1]:1",
                                         "[2001:db8:1:2:3:4:5:6]:65535"));

class Bad : public testing::TestWithParam<const char*> {};
TEST_P(Bad, IsRefused) { EXPECT_FALSE(parse_address(GetParam())); }
INSTANTIATE_TEST_SUITE_P(Addresses, Bad,
                         testing::Values(":", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:-1", "1.2.3.4:+1",
                                         "1.2.3:1", "::1:80", "[::1]", "[::1]80", "[]:1", "[1.2.3.4]:1", "1.2.3.4:80 ",
                                         " 1.2.3.4:80", "host:80"));

}  // namespace
}  // namespace lab::evidence
