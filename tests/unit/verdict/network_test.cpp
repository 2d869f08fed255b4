// Segments that neither end sent, and a path that went silent.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

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

// The end in whose name it came is no half-closer: its reset, the first thing that any program notices, came of the
// FIN.
TEST(InjectedFin, TheServerNoticesFirst) {
  Story s;
  s.handshake().send('C', 12).recv('S', 12);
  s.wire("S>C FA").act('S', "send 12", {.bytes = 12}).wire("S>C PA 1:13").wire("C>S R 13");
  s.recv_fails('S', ECONNRESET).close('S').recv_eof('C').close('C').end();
  EXPECT_VERDICT(s, "network/injected-fin", "confirmed");
  for (const auto* source : {"wire", "sockets", "actors", "kernel"}) {
    auto fewer = s;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "network/injected-fin");
  }
}

// Kernels before 6.10 tell of no reset that answers a segment without a socket.
TEST(InjectedReset, LookAlikeTheAnswerOfNoSocketThatThisKernelDoesNotTell) {
  Story s;
  s.handshake().send('C', 6).wire("S>C R").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 3).end();
  EXPECT_NE(s.verdict().cause, "network/injected-reset") << told(s.verdict());
}

// The wire lost the reset that the client met, and shows one that the client's kernel sent later, for no socket.
TEST(InjectedReset, LookAlikeAResetOfTheVictimsOwnAddress) {
  Story s;
  s.handshake().send('C', 6).recv_fails('C', ECONNRESET).wire("S>C SA").wire("C>S RA 7").lose("wire", 9).end();
  EXPECT_NE(s.verdict().cause, "network/injected-reset") << told(s.verdict());
}

// A rule that writes flags can make a reset of a segment.
TEST(InjectedReset, LookAlikeARuleThatRewrites) {
  for (const bool rewritten : {false, true}) {
    Story s;
    s.handshake().waiting('S', "recv 64").send('C', 12);
    if (rewritten) s.traced("S>C A", {.action = "", .text = "tcp sport 8080 tcp flags set rst", .verdict = "continue"});
    s.wire("S>C R 1").wait(5).recv_fails('C', ECONNRESET).socket('S', {.pids = {kServerPid}});
    s.end();
    if (rewritten)
      EXPECT_VERDICT(s, "firewall/mangled", "likely");
    else
      EXPECT_VERDICT(s, "network/injected-reset", "confirmed");
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

TEST(PeerSilent, LookAlikeItArrivedAndWasNotAcknowledged) {
  auto s = routed(4).end();
  EXPECT_VERDICT(s, "network/peer-silent", "likely");
}

TEST(PeerSilent, LostInsideTheRouterWithNoRuleThatWouldHaveEatenIt) {
  auto s = routed(2).end();
  EXPECT_VERDICT(s, "network/peer-silent", "likely");
}

// Ahead of where tracing begins.
TEST(PeerSilent, LookAlikeARuleOnTheRouterThatLeavesNoTrace) {
  auto s = routed(2);
  s.netns("router", "", false).rule({.hook = "ingress"}, 2).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "firewall/drop");
  EXPECT_NE(s.judge().run.cause, "network/peer-silent");
}

TEST(PeerSilent, ARuleOnTheRouterThatAteNothing) {
  auto s = routed(3);
  s.netns("router", "", false).rule({.hook = "ingress"}, 0).end();
  EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
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
