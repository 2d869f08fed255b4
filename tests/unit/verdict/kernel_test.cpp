// Routes, links, options, sockets: the kernel took a hand, or an administrator through it.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

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

// It was taken back when the client had given up, and what had waited went across.
TEST(Path, WhatWentAcrossAfterTheEndExcusesNothing) {
  auto s = path_gone("route-added", "blackhole 127.0.0.1").changed("route-deleted", "blackhole 127.0.0.1");
  s.wait(300).wire("C>S PA 7:19").wire("S>C A").act('S', "recv 64", {.bytes = 12}).end();
  EXPECT_VERDICT(s, "kernel/route", "confirmed");
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

// Without the kernel's word the socket's own timer tells, and nothing else does.
TEST(SocketExpired, FinWait2RanOutByItsTimer) {
  const auto closed = [](std::uint32_t left) {
    Story s;
    s.off("kernel").handshake().exchange().close('S').wire("S>C FA").wire("C>S A");
    s.socket('S', {.state = "FIN_WAIT2", .when = "change", .timer = "timewait", .inode = 0, .timer_ms = left})
        .wait(2000);
    s.act('C', "send 6", {.bytes = 6}).wire("C>S PA 7:13").wire("S>C R 7").act('C', "send 6", {.error = EPIPE});
    return s.counter("TcpOutRsts", 1).end();
  };
  auto spent = closed(900), left = closed(58'000);
  EXPECT_VERDICT(spent, "kernel/socket-expired", "confirmed");
  EXPECT_EQ(spent.judge().connections[0].closes, "server FIN");
  EXPECT_VERDICT(left, "application/closed", "likely");
  spent.drop_source("sockets");
  EXPECT_VERDICT(spent, "application/closed", "likely");
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

// It does not say what they acknowledged.
TEST(Path, AcksThatTheKernelAte) {
  for (const char* client : {"127.0.0.1:45000", "127.0.0.1:45230"}) {
    Story s;
    s.from(client).handshake().send('C', 6).recv('S', 6).act('C', "send 6", {.bytes = 6});
    for (int i = 0; i < 3; ++i) s.wire("C>S PA 7:13").dropped("S>C A", "XDP").wait(200);
    s.recv('S', 6).waiting('S', "sleep 5s").act('C', "recv 64", {.error = ETIMEDOUT, .ms = 400}).end();
    EXPECT_VERDICT(s, "kernel/bpf", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
