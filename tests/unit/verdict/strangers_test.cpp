// What programs that are not the lab's own do: they wait in poll, and share descriptors with their children.
#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

TEST(Polled, AnAnswerThatNeverCameInTimeIsNotAnswering) {
  for (const auto& [call, args] :
       {std::pair("poll", "[3:POLLIN 4:POLLIN], 2, 500ms"), std::pair("epoll_wait", "7, [], 8, 500ms"),
        std::pair("select", "4, read=[3], 500ms")}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    s.process(kServerPid, "sleeping");
    look(s, call, args, 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/not-answering", call == std::string("epoll_wait") ? "likely" : "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "server");
  }
}

// epoll_ctl tells what epoll_wait waits for. An event loop watches what it opened, waited for or not: while it only
// sleeps, too.
TEST(Polled, EpollWaitsForWhatWasRegistered) {
  const auto waited = [](const std::vector<std::pair<std::string, int>>& registered) {
    auto s = with_descriptors();
    for (const auto& [args, fd] : registered)
      s.put(evidence::Call{.pid = kClientPid,
                           .tid = kClientPid,
                           .name = "epoll_ctl",
                           .args = args,
                           .start_ns = s.timeline().events.back().t_ns,
                           .fd = fd});
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).process(kServerPid, "sleeping");
    look(s, "epoll_wait", "7, [], 8, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    return s.verdict();
  };
  const std::pair<std::string, int> own{"7, EPOLL_CTL_ADD, 3, POLLIN", 3}, pipe{"7, EPOLL_CTL_ADD, 4, POLLIN", 4},
      only_room{"7, EPOLL_CTL_MOD, 3, POLLOUT", 3}, gone{"7, EPOLL_CTL_DEL, 3", 3},
      other{"8, EPOLL_CTL_ADD, 3, POLLIN", 3};
  for (const auto& told : {waited({own}), waited({pipe, own}), waited({own, only_room, own})}) {
    EXPECT_EQ(told.cause, "application/not-answering");
    EXPECT_EQ(told.status, Status::likely);
  }
  for (const auto& told : {waited({pipe}), waited({own, only_room}), waited({own, gone}), waited({pipe, other})})
    EXPECT_NE(told.cause, "application/not-answering");
}

// It went on without an answer: what an epoll that does not tell waits for may be something else.
TEST(Polled, AWaitThatDoesNotTellWhatForMakesNoSureComplaint) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).process(kServerPid, "sleeping");
  look(s, "epoll_wait", "7, [], 8, 500ms", 0).act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 7:13");
  s.wire("S>C A").act('S', "recv 64", {.bytes = 6, .fd = 5}).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A");
  EXPECT_NE(s.end().verdict().status, Status::confirmed) << told(s.verdict());
}

// An event loop that has waited in vain looks once more, without waiting, before it goes on.
TEST(Polled, ALookThatDoesNotWaitChangesNothing) {
  for (const auto& [call, args] : {std::pair("poll", "[3:POLLIN], 1, 0ms"), std::pair("epoll_wait", "7, [], 8, 0ms"),
                                   std::pair("select", "4, read=[3], 0ms")}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).process(kServerPid, "sleeping");
    look(s, call, args, 0);
    s.wait(1);
    const auto now = s.timeline().events.back().t_ns;
    s.put(
        evidence::Call{.pid = kClientPid, .tid = kClientPid, .name = call, .args = args, .start_ns = now + 1'000'000});
    s.act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/not-answering", call == std::string("epoll_wait") ? "likely" : "confirmed");
  }
}

// SO_LINGER 0 of the listener is every accepted connection's.
TEST(Linger, IsInheritedFromTheListener) {
  const auto reset = [](bool on_it) {
    Story s(Story::Acts::calls);
    const auto local = *evidence::parse_address("127.0.0.1:8080"), peer = *evidence::parse_address("127.0.0.1:45000");
    s.put(evidence::Call{.pid = kServerPid,
                         .tid = kServerPid,
                         .name = "setsockopt",
                         .args = "4, SOL_SOCKET, SO_LINGER, {1, 0}",
                         .start_ns = s.timeline().provenance.started_ns + 1'000'000'001,
                         .fd = on_it ? 4 : 9,
                         .local = local,
                         .linger_reset = true});
    s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3});
    const auto now = s.timeline().events.back().t_ns;
    s.put(evidence::Call{.pid = kServerPid,
                         .tid = kServerPid,
                         .name = "accept4",
                         .args = "4, SOCK_CLOEXEC",
                         .result = 5,
                         .start_ns = now,
                         .fd = 5,
                         .local = local,
                         .peer = peer});
    s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C RA");
    s.act('C', "recv 64", {.error = ECONNRESET, .fd = 3});
    return s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnData", 1).end();
  };
  auto inherited = reset(true), foreign = reset(false);
  EXPECT_VERDICT(inherited, "application/reset", "confirmed");
  EXPECT_NE(foreign.verdict().cause, "application/reset") << told(foreign.verdict());
}

// A server with a timer of its own: what was eaten had not come when it ran out.
TEST(Timers, ARequestThatARuleAteIsWhyTheServerCloses) {
  const auto timed = [](bool eaten) {
    Story s(Story::Acts::calls);
    s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3}).act('S', "accept", {.fd = 5});
    s.act('C', "send 6", {.bytes = 6, .fd = 3});
    if (eaten)
      s.traced("C>S PA 1:7", {.hook = "input"}).wire("C>S PA 1:7").wait(210).wire("C>S PA 1:7");
    else
      s.wire("C>S PA 1:7").wire("S>C A");
    s.wait(1000);
    const auto now = s.timeline().events.back().t_ns;
    s.put(evidence::Call{.pid = kServerPid,
                         .tid = kServerPid,
                         .name = "epoll_wait",
                         .args = "7, [], 8, 1000ms",
                         .start_ns = now - 1'000'000'000});
    s.act('S', "close", {.fd = 5})
        .wire("S>C FA")
        .act('C', "recv 64", {.bytes = 0, .fd = 3})
        .act('C', "close", {.fd = 3});
    return s;
  };
  auto eaten = timed(true).end();
  EXPECT_VERDICT(eaten, "firewall/drop", "confirmed");
  for (const auto* source : {"nft-trace", "wire", "syscalls"}) {
    auto fewer = eaten;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "firewall/drop");
  }
  auto late = timed(false);
  late.traced("C>S PA 7:13", {.hook = "input"}).end();
  EXPECT_NE(late.verdict().cause, "firewall/drop") << "it met the rule when the server had closed";
}

// What an end that writes on has in its buffer is on its way, not lost.
TEST(Timers, LookAlikeTheClientWasStillSending) {
  auto s = with_descriptors();
  s.act('C', "send 100000", {.bytes = 100'000, .fd = 3}).wire("C>S PA 7:5000").wire("S>C A");
  s.act('S', "recv 64", {.bytes = 64, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C RA");
  s.act('C', "recv 64", {.error = ECONNRESET, .fd = 3}).counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1);
  EXPECT_VERDICT(s.end(), "application/closed-unread", "confirmed");
}

// The child that served it is gone, and its parent's copy keeps the connection open.
TEST(Queues, WhoWasKilledServesNobody) {
  auto s = forked(false);
  s.signal(SIGSEGV, kChildPid, kChildPid).process(kServerPid, "sleeping");
  look(s, "poll", "[3:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

// Nothing tells that it waited: what it closed over is not known.
TEST(Timers, ACloseWhileTheRequestIsLostIsAtMostLikely) {
  Story s(Story::Acts::calls);
  s.handshake().act('C', "send 6", {.bytes = 6, .fd = 3}).traced("C>S PA 1:7", {.hook = "input"}).wire("C>S PA 1:7");
  s.wait(210).wire("C>S PA 1:7").act('S', "close", {.fd = 5}).wire("S>C FA");
  s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).end();
  EXPECT_VERDICT(s, "application/closed", "likely");
}

// An event loop whose connect nothing answered waits for no bytes.
TEST(Timers, AConnectThatIsUnderWayIsNoRead) {
  Story s(Story::Acts::calls);
  s.act('C', "connect", {.error = EINPROGRESS, .fd = 3}).traced("C>S S 0", {.hook = "output"});
  look(s, "epoll_wait", "7, [], 8, 1000ms", 0, 1000).act('C', "close", {.fd = 3}).end();
  EXPECT_EQ(s.verdict().cause, "connect/no-answer") << told(s.verdict());
}

TEST(Polled, AnotherDescriptorIsNoneOfItsBusiness) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5});
  look(s, "poll", "[4:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_NE(s.verdict().cause, "application/not-answering");
}

TEST(Polled, WhatALaterLookFindsWasNotWaitedForInVain) {
  auto s = with_descriptors();
  look(s, "poll", "[3:POLLIN], 1, 100ms", 0, 100);
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  look(s, "poll", "[3:POLLIN=POLLIN], 1, 100ms", 1, 1);
  s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Polled, AConnectThatNothingAnswersIsNotHealthy) {
  Story s(Story::Acts::calls);
  s.act('C', "connect", {.error = EINPROGRESS, .fd = 3}).wire("C>S S 0");
  look(s, "poll", "[3:POLLOUT], 1, 1000ms", 0, 1000).act('C', "close", {.fd = 3}).end();
  EXPECT_EQ(s.verdict().cause, "connect/no-answer");
}

// netcat at the end of its input has said all it has, polls, and is told of the reset without a read.
TEST(HalfClosed, AResetThatNoCallMetIsTheOtherEnds) {
  auto s = with_descriptors();
  s.act('C', "shutdown write", {.fd = 3}).wire("C>S FA").wire("S>C A");
  s.act('S', "close", {.fd = 5}).wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE");
  s.counter("TcpExtTCPAbortOnClose", 1).counter("TcpOutRsts", 1).act('C', "close", {.fd = 3}).end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

// The kernel answers the FIN that comes between the socket's removal and its own reset.
TEST(HalfClosed, AFinThatMeetsASocketOnItsWayOutIsNoExpiredSocket) {
  auto s = with_descriptors();
  s.act('C', "shutdown write", {.fd = 3}).wire("C>S FA").built('S', "NO_SOCKET", "CLOSE").wire("S>C R");
  s.wire("S>C RA").built('S', "TCP_ABORT_ON_CLOSE", "CLOSE").act('S', "close", {.fd = 5});
  s.counter("TcpExtTCPAbortOnClose", 1).counter("TcpOutRsts", 2).act('C', "close", {.fd = 3}).end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
}

TEST(Forked, AChildThatCrashesIsTheOneThatClosed) {
  auto s = forked();
  s.wait(5).killed(kChildPid, SIGSEGV).wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
}

// The parent comes to its close only when the child has crashed: its copy was the last, and no cause. Nobody else tells
// of the child's end where the parent reaps it.
Story let_go_too_late() {
  auto s = forked(false);
  s.signal(SIGSEGV, kChildPid, kChildPid).wait(5).wire("S>C FA").act('S', "close", {.ago = 1, .fd = 5});
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "wait4", .result = kChildPid});
  return s.wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
}

TEST(Forked, AChildThatCrashesBeforeItsParentLetsGo) {
  auto s = let_go_too_late();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
  EXPECT_EQ(s.drop_source("signals").verdict().status, Status::likely) << told(s.verdict());
}

TEST(Forked, LookAlikeTheParentReapsItsChildAndCloses) {
  auto s = forked(false);
  s.put(evidence::Call{.pid = kChildPid, .tid = kChildPid, .name = "exit_group", .args = "0", .returned = false});
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "wait4", .result = kChildPid}).wait(5);
  s.act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

// Which of the two came last is below what the clocks tell; the one that used the connection had ended by the FIN.
TEST(Forked, AChildThatExitsAsItsParentLetsGo) {
  auto s = forked(false);
  s.act('S', "close", {.fd = 5});
  s.put(evidence::Call{.pid = kChildPid, .tid = kChildPid, .name = "exit_group", .args = "3", .returned = false});
  s.wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

// A handler may swallow the signal: what it calls then says so.
TEST(Forked, LookAlikeAChildThatLivesOnAfterItsSignal) {
  auto s = forked();
  s.signal(SIGSEGV, kChildPid, kChildPid).wait(5);
  const auto now = s.timeline().events.back().t_ns;
  const auto local = *evidence::parse_address("127.0.0.1:8080"), peer = *evidence::parse_address("127.0.0.1:45000");
  s.put(evidence::Call{
      .pid = kChildPid, .tid = kChildPid, .name = "close", .start_ns = now, .fd = 5, .local = local, .peer = peer});
  s.wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Forked, AChildThatExitsIsTheOneThatClosed) {
  auto s = forked();
  s.wait(5).wire("S>C FA").exits(kChildPid, 3).wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

TEST(Forked, AChildThatNobodyReapsHasSaidThatItExits) {
  auto s = forked();
  s.put(evidence::Call{.pid = kChildPid, .tid = kChildPid, .name = "exit_group", .args = "3", .returned = false});
  s.wait(2).wire("S>C FA").wire("C>S A").recv_eof('C').close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "application/exited", "confirmed");
}

}  // namespace
}  // namespace lab::verdict
