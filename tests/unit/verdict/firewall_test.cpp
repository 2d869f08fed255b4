// Rules that answered for an end, lost a translation or wrote into segments.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

const Story::Rule kReset{.action = "reject", .text = "tcp dport 8080 counter reject with tcp reset", .name = "a-reset"};
const Story::Rule kIcmp{.action = "reject", .text = "tcp dport 8080 counter reject", .name = "an-icmp"};

Story reset_by_rule() {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .traced("C>S PA 1:13", kReset)
      .wire("S>C R 1")
      .recv_fails('C', ECONNRESET)
      .rule(kReset, 1);
  s.socket('S', {.pids = {kServerPid}});
  return s;
}

TEST(RejectReset, Typical) {
  auto s = reset_by_rule().end();
  EXPECT_VERDICT(s, "firewall/reject-reset", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "firewall RST");
}

TEST(RejectReset, LookAlikeInjected) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .send('C', 12)
      .wire("S>C R 1 ttl=77")
      .wait(5)
      .recv_fails('C', ECONNRESET)
      .socket('S', {.pids = {kServerPid}})
      .counter("IpInReceives", 9)
      .end();
  EXPECT_VERDICT(s, "network/injected-reset", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "injected RST");
}

TEST(RejectReset, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "sockets", "actors", "counters", "kernel"}) {
    auto s = reset_by_rule().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/reject-reset");
  }
}

TEST(RejectReset, RepliesAreAnsweredSoTheServerDies) {
  Story s;
  const Story::Rule rule{.action = "reject", .text = "tcp sport 8080 reject with tcp reset"};
  s.handshake()
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .wire("S>C A")
      .recv('S', 12)
      .act('S', "send 5", {.bytes = 5})
      .traced("S>C PA 1:6", rule)
      .wire("C>S R 13")
      .act('S', "recv 64", {.error = ECONNRESET});
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/reject-reset", "confirmed");
}

// The firewall's reset is on the wire and the one that TCP built is not: the counter agrees by chance.
TEST(RejectReset, TcpsOwnResetIsEatenToo) {
  for (const auto* without : {"kernel", "sockets", "nft-trace"}) {
    Story s;
    const Story::Rule rule{.action = "reject", .text = "tcp sport 8080 reject with tcp reset"};
    s.handshake()
        .act('S', "send 5", {.bytes = 5})
        .traced("S>C PA 1:6", rule)
        .wire("C>S R 1")
        .act('S', "recv 64", {.error = ECONNRESET})
        .exits(kServerPid, 0);
    s.recv_timeout('C', 400).exits(kClientPid, 0).wire("C>S FA 1").traced("S>C R 1", rule);
    s.counter("TcpOutRsts", 1).rule(rule, 2).end();
    s.drop_source("kernel");
    s.drop_source(without);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/reject-reset");
  }
}

Story refused_with_icmp() {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .traced("C>S PA 1:13", kIcmp)
      .icmp('C', 3, 3)
      .recv_timeout('C', 500)
      .rule(kIcmp, 1);
  return s;
}

TEST(RejectIcmp, Typical) {
  auto s = refused_with_icmp().end();
  EXPECT_VERDICT(s, "firewall/reject-icmp", "confirmed");
}

// IPv6 calls "administratively prohibited" EACCES, which a filter may have said as well.
TEST(RejectIcmp, ProhibitedInIpv6) {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 12", {.bytes = 12}).traced("C>S PA 1:13", kIcmp).icmp('C', 1, 1);
  s.wait(600).recv_fails('C', EACCES).rule(kIcmp, 1).end();
  EXPECT_VERDICT(s, "firewall/reject-icmp", "confirmed");
}

TEST(RejectIcmp, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "sockets", "actors", "kernel"}) {
    auto s = refused_with_icmp().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/reject-icmp");
  }
}

enum class First { wire, socket, socket_and_flow };

Story nat_lost(First first = First::wire) {
  const bool socket_first = first != First::wire;
  Story s;
  s.to("127.0.0.1:9090").act('C', "sleep 1ms");
  if (socket_first) s.socket('C', {.state = "SYN_SENT", .when = "change", .pids = {kClientPid}});
  // The wire of lo lies behind the output hook: to the server under its own address, back under the one asked for.
  if (first != First::socket) s.flow("new", "127.0.0.1:45000", "127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1:45000");
  const auto seg = [&](const char* src, const char* dst, const char* flags, std::uint32_t seq, std::uint32_t ack,
                       std::uint32_t length) { s.put(segment(src, dst, flags, seq, ack, length)); };
  seg("127.0.0.1:45000", "127.0.0.1:8080", "S", 100, 0, 0);
  if (!socket_first) s.flow("new", "127.0.0.1:45000", "127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1:45000");
  seg("127.0.0.1:9090", "127.0.0.1:45000", "SA", 500, 101, 0);
  seg("127.0.0.1:45000", "127.0.0.1:8080", "A", 101, 501, 0);
  s.act('C', "connect");
  seg("127.0.0.1:45000", "127.0.0.1:8080", "PA", 101, 501, 6);
  seg("127.0.0.1:9090", "127.0.0.1:45000", "A", 501, 107, 0);
  if (socket_first) s.flow("new", "127.0.0.1:45000", "127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1:45000");
  s.changed("rule-deleted", "ip nat output tcp dport 9090 dnat to 127.0.0.1:8080");
  s.flow("destroy", "127.0.0.1:45000", "127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1:45000");
  s.act('C', "send 6", {.bytes = 6});
  seg("127.0.0.1:45000", "127.0.0.1:9090", "PA", 107, 501, 6);
  seg("127.0.0.1:9090", "127.0.0.1:45000", "R", 501, 0, 0);
  s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1);
  return s;
}

TEST(NatLost, Typical) {
  auto s = nat_lost().end();
  const auto j = s.judge();
  EXPECT_EQ(j.connections.size(), 1u);
  EXPECT_VERDICT(s, "firewall/nat-lost", "confirmed");
}

// A slow machine's sockets are looked at before conntrack's word comes.
TEST(NatLost, TheClientsSocketWasSeenBeforeTheFlow) {
  for (const auto first : {First::socket, First::socket_and_flow}) {
    auto s = nat_lost(first).end();
    EXPECT_EQ(s.judge().connections.size(), 1u);
    EXPECT_VERDICT(s, "firewall/nat-lost", "confirmed");
  }
}

TEST(NatLost, WithEventsMissing) {
  for (const auto* source : {"wire", "conntrack", "changes", "counters", "actors"}) {
    auto s = nat_lost().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/nat-lost");
  }
}

TEST(Mangled, APortRewritten) {
  Story s;
  const Story::Rule rule{
      .action = "", .text = "tcp dport 8080 ct original packets > 2 tcp dport set 9", .verdict = "continue"};
  s.handshake().waiting('S', "recv 64").act('C', "send 6", {.bytes = 6}).traced("C>S PA 1:7", rule);
  s.put(evidence::Segment{.device = "lo",
                          .source = *evidence::parse_address("127.0.0.1:45000"),
                          .target = *evidence::parse_address("127.0.0.1:9"),
                          .flags = "PA",
                          .seq = 100'001,
                          .ack = 900'001,
                          .length = 6,
                          .window = 512,
                          .ttl = 64});
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/mangled", "confirmed");
  s.drop_source("nft-trace");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/mangled");
}

// A SYN,ACK that comes again on an established connection counts as an error and as a challenge: nothing was rewritten.
TEST(Mangled, ARepeatedSynAckIsNoDamage) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .wait(200)
      .wire("C>S PA 1:7");
  s.counter("TcpInErrs", 3).counter("TcpExtTCPSYNChallenge", 3).recv_timeout('C', 500).end();
  EXPECT_NE(s.verdict().cause, "firewall/mangled");
}

TEST(Mangled, ErrorsBeyondThatAreTold) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .wait(200)
      .wire("C>S PA 1:7");
  s.counter("TcpInErrs", 4).counter("TcpExtTCPSYNChallenge", 3).recv_timeout('C', 500).end();
  EXPECT_EQ(s.verdict().cause, "firewall/mangled");
}

// The client closed of its own accord; its FIN was refused, and the server waits on.
TEST(RejectReset, OfTheFin) {
  Story s;
  s.handshake().send('C', 12).recv('S', 12).send('S', 3).recv('C', 3).waiting('S', "recv-until-eof").close('C');
  s.wire("C>S FA").traced("C>S FA",
                          {.hook = "input", .action = "reject", .text = "tcp flags fin reject with tcp reset"});
  s.wire("S>C R").wait(500);
  EXPECT_NOT_WRONGLY_CONFIRMED(s.end(), "firewall/reject-reset");
}

}  // namespace
}  // namespace lab::verdict
