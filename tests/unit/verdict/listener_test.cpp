// Listeners that went away with a connection still waiting, and who let go of them last.
#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

evidence::StepDone on_listener(const char* verb, int pid, std::int64_t t, const char* at = "127.0.0.1:8080") {
  evidence::StepDone one{.role = "server", .actor = "server", .pid = pid, .verb = verb, .step = verb};
  one.call = verb == std::string("listen") ? "listen" : "close";
  one.outcome = "ok";
  one.local = *evidence::parse_address(at);
  one.start_ns = one.end_ns = t;
  return one;
}

// Accepted late, behind the end of a client that had ended its own reading.
TEST(ListenerClosed, LookAlikeAcceptedLate) {
  Story s(Story::Acts::calls);
  s.connected().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A");
  s.act('C', "shutdown").wire("C>S FA").recv_eof('C').close('C').wait(5).act('S', "accept");
  s.act('S', "recv 64", {.bytes = 6}).act('S', "send 2", {.bytes = 2}).wire("S>C PA 1:3").wire("C>S R").close('S');
  s.listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed").exits(kServerPid, 0).counter("TcpOutRsts", 1).end();
  EXPECT_NE(s.verdict().cause, "application/listener-closed") << told(s.verdict());
}

TEST(ListenerClosed, Typical) {
  Story s;
  s.connected()
      .send('C', 6)
      .act('S', "close-listener")
      .listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed")
      .built('S', "TCP_STATE", "CLOSE")
      .wire("S>C RA");
  s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/listener-closed", "confirmed");
}

// A child had closed its copy long before; then the parent closes, is killed, or nobody knows.
TEST(ListenerClosed, TheLastToHoldItIsNamed) {
  constexpr int kChild = 21;
  for (const std::string how : {"closes", "killed", "reaped", "unknown"}) {
    Story s;
    evidence::StepDone copy{.role = "server", .actor = "server", .pid = kChild, .verb = "close-listener"};
    copy.local = *evidence::parse_address("127.0.0.1:8080");
    copy.step = copy.verb;
    copy.outcome = "ok";
    copy.start_ns = copy.end_ns = s.now();
    s.started(kChild, "server").listener("127.0.0.1:8080", 0, 16, {kChild, kServerPid}).put(copy).wait(500);
    s.connected().send('C', 6).listener("127.0.0.1:8080", 1, 16);
    if (how == "closes") s.act('S', "close-listener");
    if (how == "killed" || how == "reaped") s.signal(SIGKILL, kServerPid, kProxyPid);
    s.listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed").built('S', "TCP_STATE", "CLOSE").wire("S>C RA");
    s.recv_fails('C', ECONNRESET);
    if (how == "killed") s.killed(kServerPid, SIGKILL);
    s.counter("TcpOutRsts", 1).end();
    EXPECT_VERDICT(s, how == "killed" ? "application/killed" : "application/listener-closed", "confirmed");
    EXPECT_EQ(s.verdict().culprit.pid, how == "unknown" ? 0 : kServerPid) << how;
    EXPECT_EQ(s.verdict().culprit.name == "SIGKILL", how == "killed" || how == "reaped") << how;
  }
}

TEST(ListenerClosed, LookAlikeItWasAcceptedAndClosedUnread) {
  Story s;
  s.handshake()
      .send('C', 6)
      .act('S', "close-listener")
      .close('S')
      .wire("S>C RA")
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1)
      .counter("TcpExtTCPAbortOnClose", 1)
      .end();
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
}

TEST(ListenerClosed, OneOfTwoListenersOnAPortGoesAway) {
  Story s;
  s.started(22, "server").put(on_listener("listen", kServerPid, s.now())).put(on_listener("listen", 22, s.now()));
  s.connected().send('C', 6).put(on_listener("close-listener", kServerPid, s.now()));
  s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/listener-closed", "confirmed");
  EXPECT_EQ(s.verdict().culprit.pid, kServerPid);
}

TEST(ListenerClosed, AListenerThatCameAfterwardsHeldNothing) {
  Story s;
  s.put(on_listener("listen", kServerPid, s.now())).connected().send('C', 6).listener("127.0.0.1:8080", 1, 16);
  s.put(on_listener("close-listener", kServerPid, s.now())).listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed");
  s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").wait(500).started(22, "server");
  s.put(on_listener("listen", 22, s.now())).listener("127.0.0.1:8080", 0, 16, {22}).wait(500);
  s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/listener-closed", "confirmed");
  EXPECT_EQ(s.verdict().culprit.pid, kServerPid);
}

TEST(ListenerClosed, AnotherListenerThatWasClosedIsNotThisOne) {
  Story s;
  s.started(22, "server").put(on_listener("listen", kServerPid, s.now())).put(on_listener("listen", 22, s.now()));
  s.listener("127.0.0.1:8080", 0, 16, {kServerPid, 22});
  s.put(on_listener("close-listener", kServerPid, s.now(), "127.0.0.1:9090")).wait(100);
  s.connected()
      .send('C', 6)
      .put(on_listener("close-listener", 22, s.now()))
      .wait(5)
      .signal(SIGKILL, kServerPid, kProxyPid);
  s.listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed").built('S', "TCP_STATE", "CLOSE").wire("S>C RA");
  s.recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_EQ(s.verdict().culprit.pid, kServerPid) << told(s.verdict());
}

TEST(ListenerClosed, AnEndThatIsToldLateIsNotTheLast) {
  Story s;
  s.started(kChildPid, "server").listener("127.0.0.1:8080", 0, 16, {kChildPid, kServerPid}).wait(500);
  s.connected().send('C', 6).listener("127.0.0.1:8080", 1, 16, {kServerPid}).wait(5).act('S', "close-listener");
  s.listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed").built('S', "TCP_STATE", "CLOSE").wire("S>C RA");
  s.recv_fails('C', ECONNRESET).wait(30).exits(kChildPid, 0).counter("TcpOutRsts", 1).end();
  EXPECT_NE(s.verdict().culprit.pid, kChildPid) << told(s.verdict());
}

// The server listens on two addresses of one port, and closes the other one first.
TEST(ListenerClosed, TwoAddressesOfOnePort) {
  for (const char* first : {"10.0.0.1:8080", "127.0.0.1:8080"}) {
    Story s;
    const bool other = first == std::string("10.0.0.1:8080");
    s.connected().send('C', 6);
    if (other) s.put(on_listener("close-listener", kServerPid, s.now(), first)).wait(5);
    s.put(on_listener("close-listener", kServerPid, s.now())).listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed");
    s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
    EXPECT_EQ(s.verdict().culprit.pid, kServerPid) << told(s.verdict());
  }
}

// A child had ended long before; how its parent lets go is not seen (shutdown(), close_range(), exec).
TEST(ListenerClosed, AChildThatEndedLongBeforeLetNothingGo) {
  Story s;
  s.started(kChildPid, "server").listener("127.0.0.1:8080", 0, 16, {kChildPid, kServerPid}).wait(500);
  s.exits(kChildPid, 0).wait(10000).connected().send('C', 6).listener("127.0.0.1:8080", 1, 16, {kServerPid});
  s.wait(500).act('S', "sleep 1ms", {.ms = 1}).listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed");
  s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  EXPECT_NE(s.verdict().culprit.pid, kChildPid) << told(s.verdict());
}

// The same of its close, where the wire was not watched.
TEST(ListenerClosed, WithoutTheWireAChildsCloseLongBefore) {
  Story s;
  s.started(kChildPid, "server").listener("127.0.0.1:8080", 0, 16, {kChildPid, kServerPid});
  s.put(on_listener("close-listener", kChildPid, s.now())).wait(500).connected().send('C', 6);
  s.listener("127.0.0.1:8080", 1, 16).listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed");
  s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").recv_fails('C', ECONNRESET).counter("TcpOutRsts", 1).end();
  s.drop_source("wire");
  EXPECT_NE(s.verdict().culprit.pid, kChildPid) << told(s.verdict());
}

}  // namespace
}  // namespace lab::verdict
