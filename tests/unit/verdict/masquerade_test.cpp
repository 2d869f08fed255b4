// A gateway that translates the client's address, and forgets that it did.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

constexpr const char *client = "192.0.2.2:45000", *shown = "198.51.100.1:45000", *server = "198.51.100.2:8080";

void seg(Story& s, const char* netns, bool outgoing, const char* from, const char* to, const char* flags,
         std::uint32_t seq, std::uint32_t ack, std::uint32_t length = 0) {
  s.put(segment(from, to, flags, seq, ack, length, netns, outgoing));
}

// Routed, behind a gateway that masquerades: the server knows the client as `shown`. `forgets`: the gateway does.
// `looked`: the client's socket was seen before its SYN was.
Story masqueraded(bool forgets, bool looked = false) {
  Story s;
  const char* later = forgets ? client : shown;
  s.from(client).to(server);
  if (looked) s.socket('C', {.state = "SYN_SENT", .when = "change"});
  seg(s, "client", true, client, server, "S", 100, 0);
  seg(s, "server", false, shown, server, "S", 100, 0);
  seg(s, "server", true, server, shown, "SA", 500, 101);
  seg(s, "client", false, server, client, "SA", 500, 101);
  seg(s, "client", true, client, server, "A", 101, 501);
  seg(s, "server", false, shown, server, "A", 101, 501);
  s.act('C', "connect").act('C', "send 3", {.bytes = 3});
  seg(s, "client", true, client, server, "PA", 101, 501, 3);
  seg(s, "server", false, later, server, "PA", 101, 501, 3);
  seg(s, "server", true, server, later, "R", 501, 0);
  seg(s, "client", false, server, client, "R", 501, 0);
  s.built('S', "TCP_FLAGS", "LISTEN");
  if (forgets) s.flow("destroy", client, server, server, shown);
  s.recv_fails('C', ECONNRESET).end();
  return s;
}

TEST(NatLost, TheSourcesTranslation) {
  auto s = masqueraded(true);
  EXPECT_VERDICT(s, "firewall/nat-lost", "confirmed");
  for (const auto* source : {"conntrack", "wire", "kernel", "actors"}) {
    auto less = masqueraded(true);
    less.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(less, "firewall/nat-lost");
  }
}

TEST(NatLost, OfAClientWhoseSocketWasSeenFirst) {
  auto s = masqueraded(true, true);
  EXPECT_VERDICT(s, "firewall/nat-lost", "confirmed");
  EXPECT_EQ(s.judge().connections.size(), 1U);
}

// The server closes, the client reads to the end; only then the gateway forgets, and what the client says meets nobody.
TEST(NatLost, LookAlikeWhenAllWasOver) {
  Story s;
  const auto pass = [&](const char* flags, bool from_client, std::uint32_t seq, std::uint32_t ack,
                        std::uint32_t length = 0, bool translated = true) {
    for (const bool at_client : {from_client, !from_client}) {
      const auto* there = at_client || !translated ? client : shown;
      seg(s, at_client ? "client" : "server", at_client == from_client, from_client ? there : server,
          from_client ? server : there, flags, seq, ack, length);
    }
  };
  s.from(client).to(server);
  pass("S", true, 100, 0);
  pass("SA", false, 500, 101);
  pass("A", true, 101, 501);
  s.act('C', "connect").act('C', "send 3", {.bytes = 3});
  pass("PA", true, 101, 501, 3);
  s.from(shown).act('S', "accept").recv('S', 3).close('S');
  pass("FA", false, 501, 104);
  s.from(client).recv_eof('C').flow("destroy", client, server, server, shown).act('C', "send 3", {.bytes = 3});
  pass("PA", true, 104, 502, 3, false);
  s.end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

// The same reset for want of a socket, under the address that the server always knew.
TEST(NatLost, LookAlikeTheSocketExpiredBehindATranslationThatStands) {
  auto s = masqueraded(false);
  EXPECT_NE(s.judge().run.cause, "firewall/nat-lost");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "kernel/socket-expired");
}

}  // namespace
}  // namespace lab::verdict
