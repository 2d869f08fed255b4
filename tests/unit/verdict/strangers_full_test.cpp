// Programs that are not the lab's own: they fill a buffer and wait for room, ask what became of a connect, and end
// themselves.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using evidence::Call;

constexpr int kChildPid = 21;

Story& call(Story& s, Call one, std::int64_t ms = 0) {
  one.start_ns = s.timeline().events.back().t_ns;
  if (!one.pid) one.pid = kClientPid;
  one.tid = one.pid;
  return s.wait(ms).put(std::move(one));
}

// The client has descriptor 3, the server 5.
Story connected(int request = 0) {
  Story s(Story::Acts::calls);
  s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3}).act('S', "accept", {.fd = 5});
  if (!request) return s;
  s.act('C', "send 6", {.bytes = request, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
  return s.act('S', "recv 64", {.bytes = request, .fd = 5});
}

Story& fills(Story& s, char who, std::int64_t ms) {
  const bool client = who == 'C';
  const auto& ends =
      client ? std::pair("127.0.0.1:45000", "127.0.0.1:8080") : std::pair("127.0.0.1:8080", "127.0.0.1:45000");
  s.wire(client ? "C>S A 1:40001" : "S>C A 1:40001").wire(client ? "S>C A win=0" : "C>S A win=0");
  return call(s,
              {.pid = client ? kClientPid : kServerPid,
               .name = "sendto",
               .args = client ? "3, 16777216" : "5, 16777216",
               .result = 3000000,
               .fd = client ? 3 : 5,
               .local = *evidence::parse_address(ends.first),
               .peer = *evidence::parse_address(ends.second)},
              ms);
}

TEST(Filled, RoomThatNeverComesIsAPeerThatDoesNotRead) {
  for (const auto& [name, args] : {std::pair("poll", "[3:POLLOUT], 1, 999ms"), std::pair("select", "4, 999ms"),
                                   std::pair("epoll_wait", "7, []")}) {
    auto s = connected();
    fills(s, 'C', 0).process(kServerPid, "sleeping");
    call(s, {.name = name, .args = args}, 999).socket('S', {.when = "change", .rq = 40000});
    s.act('C', "close", {.fd = 3}).end();
    EXPECT_VERDICT(s, "application/not-reading", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "server");
  }
}

TEST(Filled, AServerWaitsForRoomToo) {
  auto s = connected();
  fills(s, 'S', 0).process(kClientPid, "sleeping");
  call(s, {.pid = kServerPid, .name = "epoll_wait", .args = "7, [], 8, 999ms"}, 999);
  s.socket('C', {.when = "change", .rq = 40000}).end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "client");
}

TEST(Filled, LookAlikeRoomCameAtLast) {
  auto s = connected();
  call(fills(s, 'C', 0), {.name = "poll", .args = "[3:POLLOUT], 1, 100ms"}, 100);
  s.act('S', "recv 64", {.bytes = 40000, .fd = 5}).wire("S>C A win=512");
  call(s, {.name = "poll", .args = "[3:POLLOUT=POLLOUT], 1, 100ms", .result = 1}, 1);
  s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_EQ(s.verdict().cause, "none") << told(s.verdict());
}

TEST(Filled, ASendThatWasCutShortHadWaited) {
  for (const bool stopped : {false, true}) {
    auto s = connected();
    s.process(kServerPid, "sleeping").socket('S', {.when = "change", .rq = 40000});
    if (stopped) {
      const auto before = s.timeline().events.back().t_ns;
      s.wire("C>S A 1:40001").wire("S>C A win=0").wait(3000).end();
      s.put(Call{.pid = kClientPid,
                 .tid = kClientPid,
                 .name = "sendto",
                 .args = "3, 16777216",
                 .result = 3000000,
                 .start_ns = before,
                 .fd = 3,
                 .local = *evidence::parse_address("127.0.0.1:45000"),
                 .peer = *evidence::parse_address("127.0.0.1:8080")});
    } else {
      fills(s, 'C', 3000).end();
    }
    EXPECT_VERDICT(s, "application/not-reading", "confirmed");
  }
}

Story rejected(bool asked, bool peer = true) {
  Story s(Story::Acts::calls);
  const Story::Rule rule{
      .hook = "input", .action = "reject", .text = "tcp dport 8080 reject with icmpx admin-prohibited"};
  s.wire("C>S S 0").icmp('C', 3, 13).traced("C>S S 0", rule);
  call(s, {.name = "connect",
           .args = "3, 127.0.0.1:8080",
           .error = EINPROGRESS,
           .fd = 3,
           .local = *evidence::parse_address("127.0.0.1:45000"),
           .peer = peer ? *evidence::parse_address("127.0.0.1:8080") : evidence::Address{}});
  if (asked) call(s, {.name = "getsockopt", .args = "3, SOL_SOCKET, SO_ERROR, EHOSTUNREACH", .fd = 3});
  return s.act('C', "close", {.fd = 3}).rule(rule, 1).end();
}

TEST(ConnectThatDoesNotWait, IsToldOfTheRejectWhenItAsks) {
  auto s = rejected(true);
  EXPECT_VERDICT(s, "connect/unreachable", "confirmed");
  EXPECT_EQ(s.verdict().culprit.kind, "rule");
  EXPECT_NE(s.verdict().summary.find("EHOSTUNREACH"), std::string::npos) << told(s.verdict());
}

// Told when it had failed already: the socket has no peer any more.
TEST(ConnectThatDoesNotWait, SaysItselfWhomItIsFor) {
  auto s = rejected(true, false);
  EXPECT_VERDICT(s, "connect/unreachable", "confirmed");
}

TEST(ConnectThatDoesNotWait, IsOneConnectionWithTheConnectThatAsks) {
  Story s(Story::Acts::calls);
  s.wire("C>S S 0").wire("S>C RA");
  const auto local = *evidence::parse_address("127.0.0.1:45000"), peer = *evidence::parse_address("127.0.0.1:8080");
  call(s, {.name = "connect", .args = "3, 127.0.0.1:8080", .error = EINPROGRESS, .fd = 3, .local = local});
  call(s, {.name = "connect", .args = "3, 127.0.0.1:8080", .error = ECONNREFUSED, .fd = 3, .peer = peer}).end();
  EXPECT_EQ(s.judge().connections.size(), 1U);
}

TEST(ConnectThatDoesNotWait, AnIcmpErrorIsAnAnswer) {
  auto s = rejected(false);
  EXPECT_VERDICT(s, "connect/unreachable", "likely");
}

TEST(Itself, DiesOfAWriteBehindItsOwnShutdown) {
  auto s = connected(6);
  s.act('S', "shutdown write", {.fd = 5}).wire("S>C FA").act('S', "send 1", {.error = EPIPE, .fd = 5});
  s.signal(SIGPIPE, kServerPid, 0, true).killed(kServerPid, SIGPIPE).wire("C>S A").recv_eof('C');
  s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").wait(40).exits(kClientPid, 0).end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

TEST(Itself, LookAlikeAWriteBehindItsOwnShutdownThatItSurvives) {
  auto s = connected(6);
  s.act('S', "shutdown write", {.fd = 5}).wire("S>C FA").act('S', "send 1", {.error = EPIPE, .fd = 5});
  s.wire("C>S A").recv_eof('C').act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").exits(kClientPid, 0).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

TEST(Itself, StoppedUnderATracer) {
  auto s = connected(6);
  s.signal(SIGSTOP, kServerPid, kServerPid).process(kServerPid, "stopped").process(kServerPid, "traced");
  call(s, {.name = "poll", .args = "[3:POLLIN], 1, 3000ms"}, 3000);
  s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_VERDICT(s, "application/stopped", "confirmed");
}

Story kills(int sender) {
  auto s = connected(6);
  call(s,
       {.pid = sender, .name = "kill", .args = "20, SIGKILL", .returned = sender != kServerPid, .target = "SIGKILL"});
  return s.wire("S>C FA").wire("C>S A").recv_eof('C').killed(kServerPid, SIGKILL).close('C').wire("C>S FA").end();
}

TEST(Itself, KilledWithNobodyToSeeTheSignal) {
  auto s = kills(kServerPid);
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

TEST(Itself, LookAlikeKilledByAnother) {
  auto s = kills(77);
  EXPECT_VERDICT(s, "application/killed", "confirmed");
  EXPECT_NE(s.verdict().culprit.detail.find("process 77"), std::string::npos);
}

// The server had closed behind its reply, the client died before it read that.
TEST(Itself, CrashesWithTheReplyUnread) {
  auto s = connected(6);
  s.act('S', "send 4", {.bytes = 4, .fd = 5}).wire("S>C PA 1:5").wire("C>S A").wire("S>C FA");
  s.act('S', "close", {.fd = 5}).signal(SIGABRT, kClientPid, kClientPid).wire("C>S RA").wait(9);
  s.killed(kClientPid, SIGABRT).end();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "client");
}

// A child that its parent ends and reaps, while nobody told us of its exit.
TEST(Itself, AChildEndsByASignalThatItDoesNotHandle) {
  for (const bool handled : {false, true}) {
    auto s = connected();
    s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
    s.put(Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
    const auto local = *evidence::parse_address("127.0.0.1:8080"), peer = *evidence::parse_address("127.0.0.1:45000");
    call(s, {.pid = kChildPid, .name = "recvfrom", .result = 6, .fd = 5, .local = local, .peer = peer});
    s.act('S', "close", {.fd = 5}).wait(5).signal(SIGTERM, kChildPid, kServerPid).wait(5);
    if (handled) call(s, {.pid = kChildPid, .name = "close", .fd = 5, .local = local, .peer = peer});
    s.wire("S>C FA").wire("C>S A").recv_eof('C').act('C', "close", {.fd = 3}).wire("C>S FA").end();
    EXPECT_VERDICT(s, handled ? "application/closed" : "application/killed", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
