// The little notations, and the nearest name.
#include "scenario/values.hpp"

#include "scenario/nearest.hpp"
#include "support.hpp"

namespace lab::scenario::test {
namespace {

TEST(Values, Durations) {
  EXPECT_EQ(parse_duration("7ns"), Duration(7));
  EXPECT_EQ(parse_duration("50us"), std::chrono::microseconds(50));
  EXPECT_EQ(parse_duration("50ms"), std::chrono::milliseconds(50));
  EXPECT_EQ(parse_duration("1s"), std::chrono::seconds(1));
  EXPECT_EQ(parse_duration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(parse_duration("2h"), std::chrono::hours(2));
  for (const char* bad :
       {"", "s", "5", "1.5s", "-1s", " 1s", "1 s", "1S", "1sec", "9223372037s", "99999999999999999999s"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Values, Sizes) {
  EXPECT_EQ(parse_size("64"), 64u);
  EXPECT_EQ(parse_size("64B"), 64u);
  EXPECT_EQ(parse_size("4KiB"), 4096u);
  EXPECT_EQ(parse_size("1MiB"), 1048576u);
  EXPECT_EQ(parse_size("2GiB"), 2147483648u);
  for (const char* bad : {"", "KiB", "4KB", "4k", "-4", "4 KiB", "0x10", "99999999999GiB"}) {
    EXPECT_FALSE(parse_size(bad)) << bad;
  }
}

// What the calls of a filter are counted by.
std::string calls(std::string_view text) {
  const auto range = parse_range(text);
  if (!range) return "none";
  std::string hit;
  for (std::uint64_t n = 1; n < 10; ++n) hit += range->contains(n) ? std::to_string(n) : ".";
  return hit;
}

TEST(Values, Ranges) {
  EXPECT_EQ(calls("3"), "..3......");
  EXPECT_EQ(calls("3+"), "..3456789");
  EXPECT_EQ(calls("3..5"), "..345....");
  EXPECT_EQ(calls("3+2"), "..3.5.7.9");
  for (const char* bad : {"", "0", "+", "3-", "5..3", "3..", "..3", "3+0", "3+x", "x", "3 +", "-1"}) {
    EXPECT_EQ(calls(bad), "none") << bad;
  }
}

TEST(Values, Comparisons) {
  using Op = Comparison::Op;
  const std::pair<const char*, Op> all[] = {{">7", Op::more},     {">= 7", Op::at_least}, {"<7", Op::less},
                                            {"<=7", Op::at_most}, {"!=7", Op::not_equal}, {"=7", Op::equal},
                                            {"==7", Op::equal},   {" 7 ", Op::equal}};
  for (const auto& [text, op] : all) {
    const auto comparison = parse_comparison(text);
    ASSERT_TRUE(comparison) << text;
    EXPECT_EQ(comparison->op, op) << text;
    EXPECT_EQ(comparison->value, 7u);
  }
  for (const char* bad : {"", ">", "=>7", "~7", "7>", ">-7", "> >7"}) EXPECT_FALSE(parse_comparison(bad)) << bad;
}

TEST(Values, Rates) {
  EXPECT_EQ(parse_rate("10/second")->count, 10u);
  EXPECT_EQ(parse_rate("10/second")->unit_s, 1u);
  EXPECT_EQ(parse_rate("1/minute")->unit_s, 60u);
  EXPECT_EQ(parse_rate("1/hour")->unit_s, 3600u);
  EXPECT_EQ(parse_rate("1/day")->unit_s, 86400u);
  for (const char* bad : {"", "10", "10/", "/second", "0/second", "10/fortnight", "4294967296/second"}) {
    EXPECT_FALSE(parse_rate(bad)) << bad;
  }
}

TEST(Values, Shares) {
  EXPECT_DOUBLE_EQ(*parse_share("10%"), 0.1);
  EXPECT_DOUBLE_EQ(*parse_share("150%"), 1.5);
  for (const char* bad : {"", "%", "10", "0%", "-1%", "1.5%"}) EXPECT_FALSE(parse_share(bad)) << bad;
}

TEST(Values, Networks) {
  EXPECT_EQ(family_of_network("10.0.0.0/8"), Family::ipv4);
  EXPECT_EQ(family_of_network("::1"), Family::ipv6);
  EXPECT_EQ(family_of_network("2001:db8::/128"), Family::ipv6);
  for (const char* bad : {"", "10.0.0.0/33", "::1/129", "10.0.0/8", "10.0.0.0/", "[::1]"}) {
    EXPECT_FALSE(family_of_network(bad)) << bad;
  }
}

TEST(Nearest, ForgivesASlipOfTheFinger) {
  constexpr std::string_view known[] = {"recv", "recv-exactly", "accept", "close", "send"};
  EXPECT_EQ(nearest("rcev", known), "recv");
  EXPECT_EQ(nearest("Recv", known), "recv");
  EXPECT_EQ(nearest("recvexactly", known), "recv-exactly");
  EXPECT_EQ(nearest("acept", known), "accept");
  EXPECT_EQ(nearest("sendd", known), "send");
  EXPECT_EQ(nearest("xecv-exaclty", known), "recv-exactly");
  EXPECT_EQ(nearest("xxxxxexactly", known), "");
  EXPECT_EQ(nearest("cl", known), "");
  EXPECT_EQ(nearest("destroy", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), known), "");
}

}  // namespace
}  // namespace lab::scenario::test
