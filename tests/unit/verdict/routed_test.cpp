// Client, router and server on three machines: what is a fact of the end that noticed, and what is silence to it.
#include <cerrno>
#include <functional>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// The same segment on each link of its way, as far as it came.
void pass(Story& s, const char* segment, bool from_client, int most = 4) {
  const char* const names[] = {from_client ? "client" : "server", "router", "router",
                               from_client ? "server" : "client"};
  for (int hop = 0; hop < most; ++hop) s.netns(names[hop], "veth", hop % 2 == 0).wire(segment);
}

// After a good exchange something happens; the client's next bytes get as far as `hops` of the four devices.
Story broken(int hops, const std::function<void(Story&)>& what, const std::function<void(Story&)>& later = {}) {
  Story s;
  pass(s, "C>S S 0", true);
  pass(s, "S>C SA 0", false);
  pass(s, "C>S A 1", true);
  s.act('C', "connect").act('S', "accept").waiting('S', "recv 64");
  what(s);
  s.act('C', "send 12", {.bytes = 12});
  pass(s, "C>S PA 1:13", true, hops);
  if (later) later(s);
  s.wait(250);
  pass(s, "C>S PA 1:13", true, hops);
  s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 500});
  return s;
}

TEST(Routed, ALinkBeyondIsSilence) {
  for (const auto& [netns, device] : {std::pair{"router", "router1"}, std::pair{"server", "server0"}}) {
    const auto breaks = [where = netns, what = device](Story& story) {
      story.netns(where, "", false).changed("link-down", what);
    };
    auto s = broken(3, breaks).end();
    EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
    EXPECT_NE(s.verdict().culprit.name.find(device), std::string::npos);
  }
}

// Two probes of keepalive, each with its answer; then the client gives up by its own clock.
Story probed(bool answered) {
  Story s;
  pass(s, "C>S S 0", true);
  pass(s, "S>C SA 0", false);
  pass(s, "C>S A 1", true);
  s.act('C', "connect").act('S', "accept").act('C', "send 12", {.bytes = 12});
  pass(s, "C>S PA 1:13", true);
  pass(s, "S>C A 1", false);
  s.netns("", "", false).recv('S', 12).waiting('S', "sleep 8s");
  for (int probe = 0; probe < 3; ++probe) {
    pass(s.wait(1000), "C>S A 12", true, answered ? 4 : 3);
    if (answered) pass(s, "S>C A 1", false);
  }
  s.netns("", "", false).process(kServerPid, "sleeping").counter("TcpExtTCPKeepAlive", 3);
  if (answered) return std::move(s.recv_timeout('C', 4500).end());
  return std::move(s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 4500}).end());
}

TEST(Routed, AProbeThatIsAnsweredIsNoSilence) {
  auto answered = probed(true);
  EXPECT_VERDICT(answered, "application/not-answering", "confirmed");
  auto silent = probed(false);
  EXPECT_VERDICT(silent, "network/peer-silent", "confirmed");
}

TEST(Routed, LoopbacksLinkIsNobodysWay) {
  auto s = broken(3, [](Story& story) { story.netns("client", "", false).changed("link-down", "lo"); }).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
}

TEST(Routed, OnesOwnLinkIsNoSilence) {
  auto s = broken(0, [](Story& story) { story.netns("client", "", false).changed("link-down", "client0"); }).end();
  EXPECT_VERDICT(s, "kernel/link-down", "confirmed");
}

// The client's own link was down for a moment: before the connection, in it while bytes still got across later, or when
// the client had given up.
enum class Flaps { before, meanwhile, at_last, after };

Story silent_behind(Flaps flaps) {
  Story s;
  const auto flap = [&](Flaps now) {
    if (now != flaps) return;
    s.netns("client", "", false).changed("link-down", "client0").wait(20).changed("link-up", "client0").wait(200);
  };
  flap(Flaps::before);
  pass(s, "C>S S 0", true);
  pass(s, "S>C SA 0", false);
  pass(s, "C>S A 1", true);
  s.act('C', "connect").act('S', "accept");
  flap(Flaps::meanwhile);
  s.act('C', "send 6", {.bytes = 6});
  pass(s, "C>S PA 1:7", true);
  pass(s, "S>C A 1", false);
  s.recv('S', 6).waiting('S', "recv 64");
  flap(Flaps::at_last);
  s.act('C', "send 12", {.bytes = 12});
  pass(s, "C>S PA 7:19", true, 3);
  s.wait(250);
  pass(s, "C>S PA 7:19", true, 3);
  s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 500});
  flap(Flaps::after);
  return s.end();
}

TEST(Routed, AnOwnLinkThatHadGoneDownMakesSilenceUnsure) {
  auto s = silent_behind(Flaps::meanwhile);
  EXPECT_VERDICT(s, "network/peer-silent", "likely");
  EXPECT_NE(told(s.verdict()).find("link client0 had gone down"), std::string::npos) << told(s.verdict());
}

TEST(Routed, LookAlikeItWentDownBeforeTheConnectionOrBehindTheSilence) {
  for (const auto flaps : {Flaps::before, Flaps::after}) {
    auto s = silent_behind(flaps);
    EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
  }
}

// What was sent when it was up again got by it, and was not answered.
TEST(Routed, AnOwnLinkThatCameBackIsNoSureCause) {
  auto s = silent_behind(Flaps::at_last);
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

// IPv6 takes addresses and routes away with the link.
TEST(Routed, WhatGoesWithALinkIsNoEventOfItsOwn) {
  auto s = broken(3, [](Story& story) {
             story.netns("server", "", false)
                 .changed("link-down", "server0")
                 .changed("address-deleted", "127.0.0.1/24")
                 .changed("route-deleted", "unicast 127.0.0.0/24");
           }).end();
  EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
}

TEST(Routed, ARouteTakenAwayByHandIs) {
  auto s = broken(2, [](Story& story) {
             story.netns("router", "", false).changed("route-deleted", "unicast 127.0.0.0/24");
           }).end();
  EXPECT_VERDICT(s, "kernel/route", "confirmed");
}

// The notification of a change may be read after the first segment it ate has left.
TEST(Routed, AChangeReadLateIsStillBeforeTheSilence) {
  auto s = broken(
               2, [](Story&) {},
               [](Story& story) { story.netns("router", "", false).changed("route-added", "blackhole 127.0.0.1/32"); })
               .end();
  EXPECT_VERDICT(s, "kernel/route", "confirmed");
}

TEST(Routed, ANextHopThatAnswersNoQuestionIsSilence) {
  auto s = broken(2, [](Story& story) { story.netns("router", "", false).changed("link-down", "router1"); });
  s.dropped("C>S PA 1:13", "NEIGH_FAILED").end();
  EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
}

// The router's end of a link whose other end is down has no carrier, and 6.1 tells the drop at its queue.
TEST(Routed, ADropForWantOfACarrierIsSilence) {
  auto s = broken(2, [](Story& story) { story.netns("server", "", false).changed("link-down", "server0"); });
  s.dropped("C>S PA 1:13", "QDISC_DROP").end();
  EXPECT_VERDICT(s, "network/peer-silent", "confirmed");
}

TEST(Routed, WithEventsMissing) {
  for (const auto* source : {"wire", "nft-trace", "changes", "actors"}) {
    auto s = broken(3, [](Story& story) { story.netns("router", "", false).changed("link-down", "router1"); }).end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
  }
}

// A masquerading gateway that forgot the flow: the client's next bytes meet the listener under the client's own
// address.
TEST(Routed, WithoutItsTranslationASegmentMeetsTheListener) {
  Story s;
  const char *client = "127.0.0.1:45000", *server = "127.0.0.1:8080", *gateway = "127.0.0.9:45000";
  const auto pass = [&](bool forth, const char* seen_by_server, const char* flags, std::uint32_t seq, std::uint32_t ack,
                        std::uint32_t length) {
    const char* const names[] = {forth ? "client" : "server", "router", "router", forth ? "server" : "client"};
    for (int hop = 0; hop < 4; ++hop) {
      const char* end = (hop < 2) == forth ? client : seen_by_server;
      s.put(segment(forth ? end : server, forth ? server : end, flags, seq, ack, length, names[hop], hop % 2 == 0));
    }
  };
  pass(true, gateway, "S", 100, 0, 0);
  pass(false, gateway, "SA", 500, 101, 0);
  pass(true, gateway, "A", 101, 501, 0);
  s.act('C', "connect").from(gateway).act('S', "accept").from(client).act('C', "send 6", {.bytes = 6});
  pass(true, client, "PA", 101, 501, 6);
  s.built('S', "TCP_FLAGS", "LISTEN");
  pass(false, client, "R", 501, 0, 0);
  s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "firewall/nat-lost", "likely");
}

}  // namespace
}  // namespace lab::verdict
