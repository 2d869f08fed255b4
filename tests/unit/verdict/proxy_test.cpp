// Proxies: what a connection onwards has to do with the one that it was made for.
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

evidence::Call childs(Story& s, const char* name, std::int64_t result, const char* local, const char* peer,
                      const char* args = "") {
  const auto now = s.timeline().events.back().t_ns;
  return {.pid = kChildPid,
          .tid = kChildPid,
          .name = name,
          .args = args,
          .result = result,
          .start_ns = now,
          .fd = 5,
          .local = *evidence::parse_address(local),
          .peer = *evidence::parse_address(peer)};
}

constexpr const char *kNear = "127.0.0.1:8080", *kClient = "127.0.0.1:45000", *kFar = "127.0.0.1:9000",
                     *kOnwards = "127.0.0.1:45001";

// The parent accepts, its child connects onwards; the backend dies of the request.
Story forking_relay(bool child_connects) {
  auto s = forked();
  s.started(kProxyPid, "server").from(kOnwards).to(kFar).wire("C>S S 0").wire("S>C SA 0").wire("C>S A");
  auto connect = childs(s, "connect", 0, kOnwards, kFar, "6, 127.0.0.1:9000");
  if (!child_connects) connect.pid = connect.tid = kClientPid;
  s.put(connect);
  auto accept = childs(s, "accept4", 7, kFar, kOnwards);
  accept.pid = accept.tid = kProxyPid;
  s.put(accept).wire("C>S PA 1:7").wire("S>C A");
  auto recv = childs(s, "recvfrom", 6, kFar, kOnwards);
  recv.pid = recv.tid = kProxyPid;
  s.put(recv).signal(SIGABRT, kProxyPid, kProxyPid).killed(kProxyPid, SIGABRT).wire("S>C FA").wire("C>S A");
  auto eof = childs(s, "recvfrom", 0, kOnwards, kFar);
  if (!child_connects) eof.pid = eof.tid = kClientPid;
  s.put(eof).from(kClient).to(kNear).put(childs(s, "shutdown", 0, kNear, kClient, "5, SHUT_WR"));
  return s.wire("S>C FA").wire("C>S A").recv_eof('C').end();
}

TEST(Proxy, AChildConnectsForWhatItsParentAccepted) {
  auto s = forking_relay(true);
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 2U);
  EXPECT_EQ(j.connections[0].verdict.cause, "application/crashed") << told(j.connections[0].verdict);
  EXPECT_NE(j.connections[0].verdict.summary.find("Behind the proxy"), std::string::npos);
}

TEST(Proxy, LookAlikeTheOtherConnectionIsTheClients) {
  auto s = forking_relay(false);
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 2U);
  EXPECT_EQ(j.connections[0].verdict.cause, "application/closed") << told(j.connections[0].verdict);
  EXPECT_EQ(j.connections[0].by, "server");
}

// The proxy asks its backend and closes both when nothing has come for `ms`; its timer is in no call.
Story patient_proxy(std::int64_t ms) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).started(kProxyPid, "server");
  const auto own = [&](const char* name, std::int64_t result, const char* local, const char* peer, int pid) {
    auto one = childs(s, name, result, local, peer, "6, 127.0.0.1:9000");
    one.pid = one.tid = pid;
    one.fd = pid == kServerPid ? 6 : 7;
    s.put(one);
  };
  s.from(kOnwards).to(kFar).wire("C>S S 0").wire("S>C SA 0").wire("C>S A");
  own("connect", 0, kOnwards, kFar, kServerPid);
  own("accept4", 7, kFar, kOnwards, kProxyPid);
  own("sendto", 6, kOnwards, kFar, kServerPid);
  s.wire("C>S PA 1:7").wire("S>C A");
  own("recvfrom", 6, kFar, kOnwards, kProxyPid);
  s.wait(ms).wire("C>S FA");
  own("close", 0, kOnwards, kFar, kServerPid);
  own("recvfrom", 0, kFar, kOnwards, kProxyPid);
  s.wire("S>C FA").wire("C>S A").from(kClient).to(kNear).act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  return s.act('C', "recv 64", {.bytes = 0, .fd = 3}).end();
}

TEST(Proxy, WhatItWasOwedMayBeWhyItCloses) {
  for (const std::int64_t ms : {20, 700}) {
    auto s = patient_proxy(ms);
    const auto j = s.judge();
    ASSERT_EQ(j.connections.size(), 2U);
    EXPECT_EQ(j.connections[0].by, "proxy");
    EXPECT_EQ(j.connections[0].verdict.cause, "application/closed") << told(j.connections[0].verdict);
    EXPECT_EQ(j.connections[0].verdict.status, ms > 200 ? Status::likely : Status::confirmed)
        << told(j.connections[0].verdict);
  }
}

// The client gives up `ms` after the proxy asked its backend, whose answer the proxy awaits to the end.
Story awaited_backend(std::int64_t ms) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).started(kProxyPid, "server");
  const auto own = [&](const char* name, std::int64_t result, int pid) {
    const bool proxy = pid == kServerPid;
    auto one = childs(s, name, result, proxy ? kOnwards : kFar, proxy ? kFar : kOnwards, "6, 127.0.0.1:9000");
    one.pid = one.tid = pid;
    one.fd = proxy ? 6 : 7;
    return one;
  };
  s.from(kOnwards).to(kFar).wire("C>S S 0").wire("S>C SA 0").wire("C>S A");
  s.put(own("connect", 0, kServerPid)).put(own("accept4", 7, kProxyPid)).put(own("sendto", 6, kServerPid));
  s.wire("C>S PA 1:7").wire("S>C A").put(own("recvfrom", 6, kProxyPid));
  auto awaits = own("recvfrom", 0, kServerPid);
  awaits.returned = false;
  s.put(awaits).wait(ms).from(kClient).to(kNear).recv_timeout('C', ms + 50).close('C').wire("C>S FA").wire("S>C A");
  return s.wait(1000).end();
}

TEST(Proxy, WhatItStillAwaitedIsWhyItsClientWaited) {
  auto s = awaited_backend(700);
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 2U);
  EXPECT_EQ(j.connections[0].verdict.cause, "application/not-answering") << told(j.connections[0].verdict);
  EXPECT_NE(j.connections[0].verdict.summary.find("Behind the proxy"), std::string::npos)
      << told(j.connections[0].verdict) << told(j.connections[1].verdict);
}

TEST(Proxy, LookAlikeTheClientHadNoPatience) {
  auto s = awaited_backend(20);
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 2U);
  EXPECT_EQ(j.connections[0].verdict.summary.find("Behind the proxy"), std::string::npos)
      << told(j.connections[0].verdict);
}

// The backend dies of the request. The proxy hangs up on its client, or reads on from it before it does.
Story outlived_backend(bool reads_on) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).started(kProxyPid, "server");
  const auto own = [&](const char* name, std::int64_t result, int pid) {
    auto one = pid == kServerPid ? childs(s, name, result, kOnwards, kFar) : childs(s, name, result, kFar, kOnwards);
    one.pid = one.tid = pid;
    one.fd = 6;
    s.put(one);
  };
  s.from(kOnwards).to(kFar).wire("C>S S 0").wire("S>C SA 0").wire("C>S A");
  own("connect", 0, kServerPid);
  own("accept4", 6, kProxyPid);
  own("sendto", 6, kServerPid);
  s.wire("C>S PA 1:7").wire("S>C A");
  own("recvfrom", 6, kProxyPid);
  s.signal(SIGABRT, kProxyPid, kProxyPid).killed(kProxyPid, SIGABRT).wire("S>C FA").wire("C>S A");
  own("recvfrom", 0, kServerPid);
  s.from(kClient).to(kNear);
  if (reads_on) s.send('C', 6).act('S', "recv 64", {.bytes = 6, .fd = 5});
  s.act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  return s.act('C', "recv 64", {.bytes = 0, .fd = 3}).end();
}

TEST(Proxy, ItReadOnFromItsClientAfterItsBackendsEnd) {
  for (const bool reads_on : {false, true}) {
    auto s = outlived_backend(reads_on);
    const auto near = s.judge().connections.at(0).verdict;
    EXPECT_EQ(near.cause, "application/crashed") << told(near);
    EXPECT_EQ(near.status, reads_on ? Status::likely : Status::confirmed) << told(near);
  }
}

}  // namespace
}  // namespace lab::verdict
