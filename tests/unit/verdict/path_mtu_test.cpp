// A path-MTU black hole by literal timelines: the message that says "too big" names a host, never a connection.
#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// The rule trace of an ICMP message that was dropped on the router.
evidence::TraceHit too_big(const char* to, std::uint32_t mtu) {
  return {.netns = "router",
          .family = "inet",
          .table = "lab",
          .chain = "output",
          .hook = "output",
          .handle = 2,
          .name = "some-rule",
          .type = "rule",
          .verdict = "drop",
          .action = "drop",
          .source = *evidence::parse_address("127.0.0.7:0"),
          .target = *evidence::parse_address(std::string(to) + ":0"),
          .icmp = true,
          .mtu = mtu};
}

// A large answer never arrives; what the rule trace says of it.
Story large_answer(const std::string& numbers, const evidence::TraceHit& told, Story s = Story()) {
  s.handshake().send('C', 7).recv('S', 7).act('S', "send 1448", {.bytes = 1448}).wire("S>C A " + numbers);
  s.put(told, true).waiting('S', "recv 64").wait(300).wire("S>C A " + numbers).put(told, true);
  s.recv_timeout('C', 500).end();
  return s;
}

Story black_hole() { return large_answer("1:1449", too_big("127.0.0.1", 1400)); }

TEST(PathMtu, Typical) {
  auto s = black_hole();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "some-rule");
  EXPECT_NE(s.verdict().summary.find("at most 1400 bytes"), std::string::npos) << s.verdict().summary;
}

TEST(PathMtu, TheKernelsWordIsASecondRecord) {
  auto s = black_hole();
  s.dropped("S>C A 1:1449", "PKT_TOO_BIG");
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(PathMtu, LookAlikeTheMessageWasForAnotherHost) {
  auto s = large_answer("1:1449", too_big("127.0.0.5", 1400));
  EXPECT_EQ(s.verdict().cause.find("firewall/"), std::string::npos) << told(s.verdict());
}

TEST(PathMtu, LookAlikeTheLinkTakesWhatWasLost) {
  auto s = large_answer("1:1001", too_big("127.0.0.1", 1400));
  EXPECT_EQ(s.verdict().cause.find("firewall/"), std::string::npos) << told(s.verdict());
}

// Two connections of one host with large segments: the message may have been the other's.
TEST(PathMtu, LookAlikeItWasAboutAnotherConnection) {
  Story other;
  other.from("127.0.0.1:45001").handshake().act('S', "send 1448", {.bytes = 1448}).wire("S>C A 1:1449");
  other.wire("C>S A").recv('C', 1448).from("127.0.0.1:45000");
  auto s = large_answer("1:1449", too_big("127.0.0.1", 1400), std::move(other));
  EXPECT_VERDICT(s, "firewall/drop", "likely");
}

TEST(PathMtu, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "kernel", "sockets", "counters", "actors"}) {
    auto s = black_hole();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
  }
}

}  // namespace
}  // namespace lab::verdict
