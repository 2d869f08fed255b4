// firewall/, kernel/, network/
#include <cerrno>

#include "unit/verdict/trials.hpp"

namespace lab::verdict {
namespace {

const Story::Rule kDrop{};
const Story::Rule kReset{.action = "reject", .text = "tcp dport 8080 counter reject with tcp reset", .name = "a-reset"};
const Story::Rule kIcmp{.action = "reject", .text = "tcp dport 8080 counter reject", .name = "an-icmp"};

// The client has sent 12 bytes that no wire carried.
Story sent_into_the_dark() {
  Story s;
  s.handshake().exchange().waiting('S', "recv 64");
  return s;
}
Story tries(Story s) {
  s.socket('C', {.when = "change", .timer = "probe", .not_sent = 12, .backoff = 2, .pids = {kClientPid}});
  return s.process(kServerPid, "sleeping").recv_timeout('C', 500).end();
}
Story dropped() {
  auto s =
      sent_into_the_dark().act('C', "send 12", {.bytes = 12}).traced("C>S PA 7:19").wait(200).traced("C>S PA 7:19");
  return tries(s.rule(kDrop, 2));
}
Story path_gone(const char* kind, const char* object) {
  return tries(sent_into_the_dark().changed(kind, object).act('C', "send 12", {.bytes = 12}));
}
Story blackhole() { return path_gone("route-added", "blackhole 127.0.0.1"); }
Story link_down() { return path_gone("link-down", "lo"); }
Story address_removed() { return path_gone("address-deleted", "127.0.0.1/8"); }
Story policy() { return path_gone("xfrm-policy-added", "dst 127.0.0.1 dir out action block"); }
Story program() { return path_gone("bpf-attached", "cgroup-drop"); }

// The change was undone, bytes went across after it, and the server does not read what came last.
Story mended(const char* kind, const char* back, const char* object) {
  Story s;
  s.handshake().changed(kind, object).changed(back, object).wait(100).exchange().waiting('S', "sleep 5s").send('C', 6);
  s.process(kServerPid, "sleeping").socket('S', {.rq = 6, .pids = {kServerPid}});
  return s.recv_timeout('C', 500).end();
}
Story route_back() { return mended("route-added", "route-deleted", "blackhole 127.0.0.1"); }
Story link_up() { return mended("link-down", "link-up", "lo"); }
Story address_back() { return mended("address-deleted", "address-added", "127.0.0.1/8"); }
Story policy_gone() { return mended("xfrm-policy-added", "xfrm-policy-deleted", "dst 127.0.0.1 dir out action block"); }

Story reset_by_rule() {
  Story s;
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 12", {.bytes = 12})
      .traced("C>S PA 1:13", kReset)
      .wire("S>C R 1");
  return s.recv_fails('C', ECONNRESET).rule(kReset, 1).wait(5).socket('S', {.pids = {kServerPid}}).end();
}
Story injected_reset() {
  Story s;
  s.handshake().waiting('S', "recv 64").send('C', 12).wire("S>C R 1 ttl=77").wait(5).recv_fails('C', ECONNRESET);
  return s.socket('S', {.pids = {kServerPid}}).counter("IpInReceives", 9).end();
}
Story refused_with_icmp() {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 12", {.bytes = 12}).traced("C>S PA 1:13", kIcmp).icmp('C', 3, 3);
  return s.recv_timeout('C', 500).rule(kIcmp, 1).process(kServerPid, "sleeping").end();
}
// On lo the wire lies behind the output hook: there under the server's own address, back under the one asked for.
Story translated(bool lost) {
  Story s;
  const char *client = "127.0.0.1:45000", *asked = "127.0.0.1:9090", *server = "127.0.0.1:8080";
  s.to(asked).put(segment(client, server, "S", 100, 0, 0)).flow("new", client, asked, server, client);
  s.put(segment(asked, client, "SA", 500, 101, 0)).put(segment(client, server, "A", 101, 501, 0)).act('C', "connect");
  s.put(segment(client, server, "PA", 101, 501, 6)).put(segment(asked, client, "A", 501, 107, 0));
  if (lost)
    s.changed("rule-deleted", "ip nat output tcp dport 9090 dnat to 127.0.0.1:8080")
        .flow("destroy", client, asked, server, client);
  s.act('C', "send 6", {.bytes = 6}).put(segment(client, lost ? asked : server, "PA", 107, 501, 6));
  if (!lost) s.built('S', "TCP_ABORT_ON_CLOSE", "ESTABLISHED").counter("TcpExtTCPAbortOnClose", 1);
  if (lost) s.built('S', "NO_SOCKET", "");
  s.put(segment(asked, client, lost ? "R" : "RA", 501, 113, 0));
  return s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
}
Story nat_lost() { return translated(true); }
Story translated_and_closed_unread() { return translated(false); }
Story mangled() {
  Story s;
  const Story::Rule rule{
      .action = "", .text = "tcp dport 8080 ct original packets > 2 tcp dport set 9", .verdict = "continue"};
  s.handshake().waiting('S', "recv 64").act('C', "send 6", {.bytes = 6}).traced("C>S PA 1:7", rule);
  s.put(segment("127.0.0.1:45000", "127.0.0.1:9", "PA", 100'001, 900'001, 6));
  return s.process(kServerPid, "sleeping").recv_timeout('C', 500).end();
}
Story marked_and_dropped() {
  Story s;
  const Story::Rule mark{
      .action = "", .text = "tcp dport 8080 meta mark set 0x00000001", .handle = 5, .verdict = "continue"};
  s.handshake()
      .waiting('S', "recv 64")
      .act('C', "send 6", {.bytes = 6})
      .traced("C>S PA 1:7", mark)
      .traced("C>S PA 1:7");
  return s.rule(kDrop, 1).process(kServerPid, "sleeping").recv_timeout('C', 500).end();
}

Story destroyed() {
  Story s;
  s.handshake()
      .exchange()
      .changed("socket-destroyed", "127.0.0.1:45000 127.0.0.1:8080")
      .built('C', "TCP_STATE", "ESTABLISHED");
  s.wire("C>S RA").recv_fails('C', ECONNABORTED).recv_fails('S', ECONNRESET);
  return s.counter("TcpOutRsts", 1).end();
}
Story reset_asked_by_the_client() {
  Story s;
  s.handshake().exchange().act('C', "reset", {.linger_reset = true}).built('C', "TCP_STATE", "CLOSE").wire("C>S RA");
  return s.recv_fails('S', ECONNRESET).counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnData", 1).end();
}
Story written_after_the_fin(std::int64_t ms, const char* reason, const char* state) {
  Story s;
  s.fact("sysctl", "net.ipv4.tcp_fin_timeout", "1")
      .handshake()
      .exchange()
      .close('S')
      .wire("S>C FA")
      .wire("C>S A")
      .wait(ms);
  s.act('C', "send 6", {.bytes = 6}).wire("C>S PA 7:13").built('S', reason, state).wire("S>C R 7");
  return s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
}
Story expired() { return written_after_the_fin(2000, "TCP_FLAGS", "LISTEN"); }
Story not_yet_expired() { return written_after_the_fin(100, "TCP_ABORT_ON_DATA", "FIN_WAIT2"); }
Story minimum_ttl() {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 12", {.bytes = 12});
  for (int time = 0; time < 2; ++time) s.wire("C>S PA 1:13").dropped("C>S PA 1:13", "TCP_MINTTL").wait(210);
  s.socket('S', {.pids = {kServerPid}, .options = "min-ttl=65"}).process(kServerPid, "sleeping");
  return s.recv_timeout('C', 500).counter("TcpExtTCPMinTTLDrop", 2).end();
}

Story injected_fin() {
  Story s;
  s.handshake().exchange().waiting('S', "recv 64").send('C', 6).wire("S>C FA").recv_eof('C').wait(5);
  return s.socket('S', {.pids = {kServerPid}}).close('C').wire("C>S FA").end();
}
Story closed() {
  Story s;
  s.handshake().exchange().send('C', 6).recv('S', 6).close('S').wire("S>C FA").recv_eof('C').wait(5);
  return s.socket('S', {.state = "FIN_WAIT2"}).close('C').wire("C>S FA").end();
}

// The same segment on each link of its way, as far as it came.
Story routed(int hops) {
  Story s;
  const auto pass = [&](const char* what, bool from_client, int most) {
    const char* const names[] = {from_client ? "client" : "server", "router", "router",
                                 from_client ? "server" : "client"};
    for (int hop = 0; hop < most; ++hop) s.netns(names[hop], "veth", hop % 2 == 0).wire(what);
  };
  pass("C>S S 0", true, 4);
  pass("S>C SA 0", false, 4);
  pass("C>S A 1", true, 4);
  s.act('C', "connect").act('S', "accept").waiting('S', "recv 64").act('C', "send 12", {.bytes = 12});
  pass("C>S PA 1:13", true, hops);
  s.wait(250);
  pass("C>S PA 1:13", true, hops);
  return s;
}
Story silent() { return routed(3).act('C', "recv 64", {.error = ETIMEDOUT, .ms = 500}).end(); }
Story dropped_on_the_router() {
  auto s = routed(2);
  s.netns("router", "", false).traced("C>S PA 1:13", {.hook = "forward"});
  return s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 500}).end();
}

}  // namespace

std::vector<Trial> between_trials() {
  return {
      {"firewall/drop", dropped, "kernel/route", blackhole},
      {"firewall/reject-reset", reset_by_rule, "network/injected-reset", injected_reset},
      {"firewall/reject-icmp", refused_with_icmp, "firewall/drop", dropped},
      {"firewall/nat-lost", nat_lost, "application/closed-unread", translated_and_closed_unread},
      {"firewall/mangled", mangled, "firewall/drop", marked_and_dropped},
      {"kernel/socket-destroyed", destroyed, "application/reset", reset_asked_by_the_client},
      {"kernel/socket-expired", expired, "application/closed", not_yet_expired},
      {"kernel/route", blackhole, "application/not-reading", route_back},
      {"kernel/link-down", link_down, "application/not-reading", link_up},
      {"kernel/address-removed", address_removed, "application/not-reading", address_back},
      {"kernel/bpf", program, "firewall/drop", dropped},
      {"kernel/ipsec-policy", policy, "application/not-reading", policy_gone},
      {"kernel/tcp-option", minimum_ttl, "firewall/drop", dropped},
      {"network/peer-silent", silent, "firewall/drop", dropped_on_the_router},
      {"network/injected-reset", injected_reset, "firewall/reject-reset", reset_by_rule},
      {"network/injected-fin", injected_fin, "application/closed", closed},
  };
}

}  // namespace lab::verdict
