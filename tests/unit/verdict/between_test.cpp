// What happened between the two: firewall, kernel, network.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;
const Story::Rule kDrop{};
const Story::Rule kReset{.action = "reject", .text = "tcp dport 8080 counter reject with tcp reset", .name = "a-reset"};
const Story::Rule kIcmp{.action = "reject", .text = "tcp dport 8080 counter reject", .name = "an-icmp"};

// The output hook ate everything: handshake and silence on the wire.
Story eaten_on_the_way_out() {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .traced("C>S PA 1:13")
      .wait(200)
      .traced("C>S PA 1:13");
  s.socket('C', {.when = "change", .timer = "probe", .unacked = 0, .not_sent = 12, .backoff = 1, .pids = {kClientPid}});
  s.recv_timeout('C', 300).close('C').traced("C>S FA 13").rule(kDrop, 3);
  return s;
}

TEST(FirewallDrop, OnTheWayOut) {
  auto s = eaten_on_the_way_out().end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  const auto j = s.judge();
  EXPECT_EQ(j.connections[0].closes, "none");
  EXPECT_EQ(j.connections[0].by, "nobody");
  EXPECT_EQ(j.run.culprit.name, "some-rule");
  EXPECT_EQ(j.run.culprit.handle, 4u);
  EXPECT_EQ(j.run.culprit.detail, "output, client to server");
}

TEST(FirewallDrop, OnTheWayIn) {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule)
      .wait(200)
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule);
  s.recv_timeout('C', 300).close('C').wire("C>S FA 13").rule(rule, 3).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "client FIN");
}

TEST(FirewallDrop, TheServerGivesUpFirst) {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.handshake()
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule)
      .recv_timeout('S', 100)
      .close('S')
      .wire("S>C FA ack=1")
      .wire("C>S A 13");
  s.recv_eof('C').end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(FirewallDrop, RepliesOnly) {
  Story s;
  const Story::Rule rule{.text = "tcp sport 8080 drop"};
  s.handshake()
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("S>C A 1 ack=13", rule)
      .recv('S', 12)
      .act('S', "send 12", {.bytes = 12})
      .traced("S>C PA 1:13", rule)
      .waiting('S', "recv 64");
  s.wait(200).wire("C>S PA 1:13").traced("S>C A 13 ack=13", rule).recv_timeout('C', 300).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.verdict().culprit.detail, "output, server to client");
}

// A long answer stands still in the middle of one write: what it wrote is told only once that returns.
Story cut_off_in_the_middle_of_a_write() {
  Story s;
  const Story::Rule rule{.text = "tcp sport 8080 quota over 16 kbytes drop"};
  s.handshake().send('C', 9).recv('S', 9).wire("S>C A 1:1449").wire("C>S A").recv('C', 1448);
  s.traced("S>C A 1449:2897", rule).traced("S>C A 1449:2897", rule).rule(rule, 2);
  s.recv_timeout('C', 400).close('C').wire("C>S FA").act('S', "send 65536", {.bytes = 65536, .ago = 402}).end();
  return s;
}

TEST(FirewallDrop, InTheMiddleOfAWrite) {
  auto s = cut_off_in_the_middle_of_a_write();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  s.drop_source("nft-trace");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
}

TEST(FirewallDrop, AFinThatNeverArrives) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = "tcp flags fin drop"};
  s.handshake()
      .exchange()
      .close('C')
      .wire("C>S FA")
      .traced("C>S FA 7", rule)
      .waiting('S', "recv 64")
      .wait(200)
      .wire("C>S FA 7")
      .traced("C>S FA 7", rule)
      .rule(rule, 2)
      .end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(FirewallDrop, AChainsPolicy) {
  Story s;
  const Story::Rule rule{.hook = "input", .action = "", .text = "policy drop", .name = "", .type = "policy"};
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .traced("C>S PA 1:13", rule)
      .recv_timeout('C', 300)
      .end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "policy of chain input");
}

TEST(FirewallDrop, WhatCameAfterTheClientGaveUpIsNoCause) {
  Story s;
  const Story::Rule rule{.text = "tcp flags fin drop"};
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .waiting('S', "sleep 5s")
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 300)
      .close('C')
      .traced("C>S FA 7", rule)
      .rule(rule, 1)
      .end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

TEST(FirewallDrop, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "sockets", "actors", "processes", "counters", "kernel"}) {
    auto s = eaten_on_the_way_out().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
  }
  auto s = eaten_on_the_way_out().end();
  s.drop_source("nft-trace");
  EXPECT_EQ(s.verdict().status, Status::unknown) << told(s.verdict());
  EXPECT_FALSE(s.verdict().next.empty());
}

TEST(FirewallDrop, TheKernelsReasonWithoutTheTrace) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .dropped("C>S PA 1:13", "NETFILTER_DROP")
      .recv_timeout('C', 300)
      .end();
  s.put(evidence::RuleState{.family = "inet",
                            .table = "lab",
                            .chain = "output",
                            .handle = 4,
                            .text = "drop",
                            .action = "drop",
                            .counted = true,
                            .packets = 1,
                            .when = "end"},
        true);
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  s.drop_source("nft-trace");
  EXPECT_EQ(s.verdict().cause, "firewall/drop");
}

TEST(FirewallDrop, IcmpThatWouldHaveMendedIt) {
  Story s;
  const Story::Rule rule{.hook = "input", .text = "icmp type destination-unreachable drop", .icmp = true};
  s.handshake()
      .waiting('S', "recv-exactly 4000")
      .act('C', "send 4000", {.bytes = 4000})
      .wire("C>S A 1:1449")
      .traced("C>S A 1:1449", rule)
      .wait(300)
      .wire("C>S A 1:1449")
      .traced("C>S A 1:1449", rule);
  s.recv_timeout('C', 500).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

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

Story nat_lost() {
  Story s;
  s.to("127.0.0.1:9090").act('C', "sleep 1ms");
  // The wire of lo lies behind the output hook: to the server under its own address, back under the one asked for.
  s.flow("new", "127.0.0.1:45000", "127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1:45000");
  const auto seg = [&](const char* src, const char* dst, const char* flags, std::uint32_t seq, std::uint32_t ack,
                       std::uint32_t length) {
    s.put(evidence::Segment{.device = "lo",
                            .source = *evidence::parse_address(src),
                            .target = *evidence::parse_address(dst),
                            .flags = flags,
                            .seq = seq,
                            .ack = ack,
                            .length = length,
                            .window = 512,
                            .ttl = 64});
  };
  seg("127.0.0.1:45000", "127.0.0.1:8080", "S", 100, 0, 0);
  s.flow("new", "127.0.0.1:45000", "127.0.0.1:9090", "127.0.0.1:8080", "127.0.0.1:45000");
  seg("127.0.0.1:9090", "127.0.0.1:45000", "SA", 500, 101, 0);
  seg("127.0.0.1:45000", "127.0.0.1:8080", "A", 101, 501, 0);
  s.act('C', "connect");
  seg("127.0.0.1:45000", "127.0.0.1:8080", "PA", 101, 501, 6);
  seg("127.0.0.1:9090", "127.0.0.1:45000", "A", 501, 107, 0);
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

Story path_gone(const std::string& kind, const std::string& object, const std::string& detail = "") {
  Story s;
  s.handshake().exchange().changed(kind, object, detail).waiting('S', "recv 64").act('C', "send 12", {.bytes = 12});
  s.socket('C', {.when = "change", .timer = "probe", .not_sent = 12, .backoff = 2, .pids = {kClientPid}})
      .recv_timeout('C', 500);
  return s;
}

TEST(Path, RouteLinkAddressPolicy) {
  const struct {
    const char *cause, *kind, *object;
  } all[] = {{"kernel/route", "route-added", "blackhole 127.0.0.1"},
             {"kernel/link-down", "link-down", "lo"},
             {"kernel/address-removed", "address-deleted", "127.0.0.1/8"},
             {"kernel/ipsec-policy", "xfrm-policy-added", "dst 127.0.0.1 dir out action block"},
             {"kernel/bpf", "bpf-attached", "cgroup-drop"}};
  for (const auto& one : all) {
    auto s = path_gone(one.kind, one.object).end();
    EXPECT_VERDICT(s, one.cause, "confirmed");
    for (const auto* source : {"wire", "changes", "sockets", "actors", "nft-trace", "kernel"}) {
      auto fewer = path_gone(one.kind, one.object).end();
      fewer.drop_source(source);
      EXPECT_NOT_WRONGLY_CONFIRMED(fewer, one.cause);
    }
  }
}

TEST(Path, AChangeAfterWhichBytesWentAcrossIsNoCause) {
  Story s;
  s.handshake()
      .changed("link-down", "lo")
      .changed("link-up", "lo")
      .wait(100)
      .exchange()
      .waiting('S', "sleep 5s")
      .send('C', 6)
      .process(kServerPid, "sleeping")
      .socket('S', {.rq = 6, .pids = {kServerPid}})
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
}

TEST(Path, TheEarlierOfTwoEatersWins) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .traced("C>S PA 1:13")
      .wait(300)
      .changed("link-down", "lo")
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(TcpOption, MinimumTtl) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .dropped("C>S PA 1:13", "TCP_MINTTL")
      .wait(210)
      .wire("C>S PA 1:13")
      .dropped("C>S PA 1:13", "TCP_MINTTL");
  s.recv_timeout('C', 500).counter("TcpExtTCPMinTTLDrop", 2).end();
  EXPECT_VERDICT(s, "kernel/tcp-option", "confirmed");
  s.drop_source("kernel");
  EXPECT_EQ(s.verdict().cause, "kernel/tcp-option");
  s.drop_source("counters");
  EXPECT_EQ(s.verdict().status, Status::unknown);
}

TEST(Bpf, ADropReasonNamesTheHook) {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .wire("C>S PA 1:13")
      .dropped("C>S PA 1:13", "XDP")
      .wait(210)
      .wire("C>S PA 1:13")
      .recv_timeout('C', 500)
      .end();
  EXPECT_VERDICT(s, "kernel/bpf", "confirmed");
}

Story destroyed() {
  Story s;
  s.handshake()
      .exchange()
      .changed("socket-destroyed", "127.0.0.1:45000 127.0.0.1:8080")
      .built('C', "TCP_STATE", "ESTABLISHED")
      .wire("C>S RA")
      .recv_fails('C', ECONNABORTED)
      .recv_fails('S', ECONNRESET)
      .counter("TcpOutRsts", 1);
  return s;
}

TEST(SocketDestroyed, Typical) {
  auto s = destroyed().end();
  EXPECT_VERDICT(s, "kernel/socket-destroyed", "confirmed");
}

TEST(SocketDestroyed, WithEventsMissing) {
  for (const auto* source : {"wire", "changes", "kernel", "actors", "counters"}) {
    auto s = destroyed().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "kernel/socket-destroyed");
  }
}

TEST(SocketExpired, FinWait2RanOut) {
  Story s;
  s.fact("sysctl", "net.ipv4.tcp_fin_timeout", "1")
      .handshake()
      .exchange()
      .close('S')
      .wire("S>C FA")
      .wire("C>S A")
      .wait(2000);
  s.act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 7:13")
      .built('S', "TCP_FLAGS", "LISTEN")
      .wire("S>C R 7")
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_VERDICT(s, "kernel/socket-expired", "confirmed");
}

TEST(SocketExpired, LookAlikeStillInTimeWait) {
  Story s;
  s.handshake().exchange().close('S').wire("S>C FA").wire("C>S A").wait(100);
  s.act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 7:13")
      .built('S', "TCP_TIMEWAIT_SOCKET", "TIME_WAIT")
      .wire("S>C R 7")
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(InjectedFin, Typical) {
  Story s;
  s.handshake()
      .exchange()
      .waiting('S', "recv 64")
      .send('C', 6)
      .wire("S>C FA")
      .recv_eof('C')
      .wait(5)
      .socket('S', {.pids = {kServerPid}})
      .close('C')
      .wire("C>S FA")
      .end();
  EXPECT_VERDICT(s, "network/injected-fin", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "injected FIN");
  for (const auto* source : {"wire", "sockets", "actors", "kernel"}) {
    auto fewer = s;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "network/injected-fin");
  }
}

TEST(InjectedReset, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "sockets", "actors", "counters", "kernel"}) {
    Story s;
    s.handshake()
        .waiting('S', "recv 64")
        .send('C', 12)
        .wire("S>C R 1 ttl=77")
        .wait(5)
        .recv_fails('C', ECONNRESET)
        .socket('S', {.pids = {kServerPid}})
        .counter("IpInReceives", 9)
        .end()
        .drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/injected-reset");
  }
}

// The same segment on each link of its way, as far as it came.
Story routed(int hops) {
  Story s;
  const auto pass = [&](const char* segment, bool from_client, int most) {
    const char* const names[] = {from_client ? "client" : "server", "router", "router",
                                 from_client ? "server" : "client"};
    for (int hop = 0; hop < most; ++hop) s.netns(names[hop], "veth", hop % 2 == 0).wire(segment);
  };
  pass("C>S S 0", true, 4);
  pass("S>C SA 0", false, 4);
  pass("C>S A 1", true, 4);
  s.act('C', "connect").act('S', "accept").waiting('S', "recv 64").act('C', "send 12", {.bytes = 12});
  pass("C>S PA 1:13", true, hops);
  s.wait(250);
  pass("C>S PA 1:13", true, hops);
  s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 500});
  return s;
}

TEST(PeerSilent, Routed) {
  auto s = routed(3).end();
  EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
  EXPECT_EQ(s.judge().connections.size(), 1u);
}

TEST(PeerSilent, LookAlikeARuleOnTheRouter) {
  auto s = routed(2);
  s.netns("router", "", false).traced("C>S PA 1:13", {.hook = "forward"}).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(PeerSilent, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "changes", "actors"}) {
    auto s = routed(3).end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
  }
}

}  // namespace
}  // namespace lab::verdict
