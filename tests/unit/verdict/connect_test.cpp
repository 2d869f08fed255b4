// No handshake to speak of, and what a run comes to as a whole.
#include <gmock/gmock.h>

#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

TEST(Connect, Refused) {
  Story s;
  s.to("127.0.0.1:9999")
      .wire("C>S S 0")
      .wire("S>C RA 0")
      .act('C', "connect", {.error = ECONNREFUSED})
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_VERDICT(s, "connect/refused", "confirmed");
  EXPECT_EQ(s.judge().connections[0].closes, "none");
}

TEST(Connect, RefusedAndTheServerHadEndedBeforeItListened) {
  Story s;
  s.started(kServerPid, "server").exits(kServerPid, 4).to("127.0.0.1:9999").wire("C>S S 0").wire("S>C RA 0");
  s.act('C', "connect", {.error = ECONNREFUSED}).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "connect/refused", "confirmed");
  EXPECT_EQ(s.verdict().culprit.pid, kServerPid);
  EXPECT_THAT(s.verdict().summary, testing::HasSubstr("ended with status 4 without having listened"));
}

TEST(Connect, RefusedAndTheListenerIsElsewhere) {
  Story s;  // begins with the listener of every story, 127.0.0.1:8080
  s.to("127.0.0.1:9999").wire("C>S S 0").wire("S>C RA 0");
  s.act('C', "connect", {.error = ECONNREFUSED}).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "connect/refused", "confirmed");
  EXPECT_THAT(s.verdict().summary, testing::HasSubstr("the only listener is on 127.0.0.1:8080"));
}

// A client's socket whose connect failed is destroyed without a peer.
TEST(Connect, RefusedAndAClientsOwnSocketIsNoListener) {
  Story s;
  s.listener("127.0.0.1:8080", 0, 0, {}, "", "destroyed").to("127.0.0.1:9999").wire("C>S S 0").wire("S>C RA 0");
  s.act('C', "connect", {.error = ECONNREFUSED});
  s.put(
      evidence::SocketState{.local = *evidence::parse_address("0.0.0.0:45000"), .state = "CLOSE", .when = "destroyed"});
  s.counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "connect/refused", "confirmed");
  EXPECT_EQ(s.verdict().summary, "Nobody listens on 127.0.0.1:9999: the connection was refused");
}

TEST(Connect, RefusedByARule) {
  Story s;
  s.traced("C>S S 0", {.action = "reject", .text = "tcp dport 8080 reject with tcp reset"})
      .wire("S>C RA 0")
      .act('C', "connect", {.error = ECONNREFUSED})
      .end();
  EXPECT_VERDICT(s, "connect/refused", "confirmed");
  EXPECT_EQ(s.verdict().culprit.kind, "rule");
}

// A look is told by when it was asked, here before the call began, and met the SYN of that call. Whose address went
// with the failure is told by its port.
TEST(Connect, RefusedAndALookThatWasAskedBeforeMetIt) {
  Story s;
  s.socket('C', {.state = "SYN_SENT", .pids = {kClientPid}}).wait(20).wire("C>S S 0").wire("S>C RA 0");
  s.put(evidence::StepDone{.role = "client",
                           .actor = "client",
                           .pid = kClientPid,
                           .tid = kClientPid,
                           .verb = "connect",
                           .step = "connect",
                           .call = "connect",
                           .outcome = "ECONNREFUSED",
                           .error = ECONNREFUSED,
                           .start_ns = s.now() - 5'000'000,
                           .end_ns = s.now(),
                           .local = *evidence::parse_address("0.0.0.0:45000"),
                           .peer = *evidence::parse_address("127.0.0.1:8080")});
  s.counter("TcpOutRsts", 1).end();
  EXPECT_EQ(s.judge().connections.size(), 1u);
}

TEST(Connect, WrongFamily) {
  Story s;
  s.listener("[::1]:9999", 0, 16, {kServerPid}, "v6only")
      .to("127.0.0.1:9999")
      .wire("C>S S 0")
      .wire("S>C RA 0")
      .act('C', "connect", {.error = ECONNREFUSED})
      .counter("TcpOutRsts", 1)
      .end();
  EXPECT_VERDICT(s, "connect/wrong-family", "confirmed");
  s.drop_source("sockets");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "connect/wrong-family");
}

TEST(Connect, NoAnswerBecauseOfARule) {
  Story s;
  const Story::Rule rule{.hook = "input"};
  s.wire("C>S S 0")
      .traced("C>S S 0", rule)
      .wait(1000)
      .wire("C>S S 0")
      .traced("C>S S 0", rule)
      .act('C', "connect", {.ms = 500, .outcome = "timeout"})
      .end();
  EXPECT_VERDICT(s, "connect/no-answer", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "some-rule");
  s.drop_source("nft-trace");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "connect/no-answer");
}

TEST(Connect, NoAnswerToASynThatIsOnNoWire) {
  Story s;
  s.traced("C>S S 0").act('C', "connect", {.ms = 500, .outcome = "timeout"}).end();
  EXPECT_VERDICT(s, "connect/no-answer", "confirmed");
}

TEST(Connect, TheAnswerIsEaten) {
  Story s;
  s.wire("C>S S 0")
      .traced("S>C SA 0", {.text = "tcp sport 8080 drop"})
      .act('C', "connect", {.error = ETIMEDOUT, .ms = 500})
      .end();
  EXPECT_VERDICT(s, "connect/no-answer", "confirmed");
}

// A rule ate the first SYN, the full queue the rest.
TEST(Connect, ARuleAndAFullQueue) {
  Story s;
  s.traced("C>S S 0", {.hook = "input", .text = "tcp dport 8080 drop"}).wire("C>S S 0").wait(1000);
  for (int i = 0; i < 3; ++i) s.wire("C>S S 0").dropped("C>S S 0", "TCP_LISTEN_OVERFLOW").wait(1000);
  s.listener("127.0.0.1:8080", 1, 0).act('C', "connect", {.ms = 3500, .outcome = "timeout"});
  s.counter("TcpExtListenOverflows", 3).end();
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

TEST(Connect, QueueFull) {
  Story s;
  s.wire("C>S S 0")
      .wait(1000)
      .wire("C>S S 0")
      .listener("127.0.0.1:8080", 2, 1)
      .act('C', "connect", {.ms = 500, .outcome = "timeout"})
      .counter("TcpExtListenOverflows", 2)
      .end();
  EXPECT_VERDICT(s, "connect/queue-full", "confirmed");
  for (const auto* source : {"wire", "sockets", "counters", "actors"}) {
    auto fewer = s;
    fewer.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(fewer, "connect/queue-full");
  }
}

TEST(Connect, Unreachable) {
  Story s;
  s.changed("route-added", "unreachable 127.0.0.1").act('C', "connect", {.error = EHOSTUNREACH}).end();
  EXPECT_VERDICT(s, "connect/unreachable", "confirmed");
}

TEST(Connect, NeverTried) {
  Story s;
  s.act('C', "sleep 10ms", {.ms = 10}).exits(kClientPid, 1).end();
  EXPECT_VERDICT(s, "connect/never-tried", "confirmed");
  s.drop_source("wire");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "connect/never-tried");
}

TEST(Connect, WhoWasNeverStartedIsNotSaidToHaveNeverTried) {
  Story s;
  s.act('S', "sleep 10ms", {.ms = 10})
      .put(evidence::Milestone{"unstarted"})
      .put(evidence::Milestone{"interrupted"})
      .end();
  EXPECT_VERDICT(s, "unknown", "unknown");
}

TEST(Run, TheMostFrequentCauseAndTheOthersCounted) {
  Story s;
  for (const auto* client : {"127.0.0.1:45000", "127.0.0.1:45001", "127.0.0.1:45002"})
    s.from(client)
        .handshake()
        .send('C', 6)
        .recv('S', 6)
        .close('S')
        .wire("S>C FA")
        .wire("C>S A")
        .recv_eof('C')
        .close('C')
        .wire("C>S FA")
        .wire("S>C A");
  s.from("127.0.0.1:45003")
      .handshake()
      .send('C', 12)
      .recv('S', 12)
      .act('S', "reset", {.linger_reset = true})
      .built('S', "TCP_STATE", "CLOSE")
      .wire("S>C RA")
      .recv_fails('C', ECONNRESET);
  s.from("127.0.0.1:45004")
      .handshake()
      .exchange()
      .close('C')
      .wire("C>S FA")
      .wire("S>C A")
      .close('S')
      .wire("S>C FA")
      .wire("C>S A")
      .counter("TcpOutRsts", 1)
      .end();
  const auto j = s.judge();
  ASSERT_EQ(j.connections.size(), 5u);
  EXPECT_EQ(j.run.cause, "application/closed") << told(j.run);
  EXPECT_NE(j.run.summary.find("3 of 5 connections"), std::string::npos) << j.run.summary;
  EXPECT_NE(j.run.summary.find("1 application/reset"), std::string::npos) << j.run.summary;
  EXPECT_NE(j.run.summary.find("1 none"), std::string::npos) << j.run.summary;
}

TEST(Run, NothingSeenIsUnknown) {
  evidence::Timeline empty;
  const auto j = judge(empty);
  EXPECT_EQ(j.run.cause, "unknown");
  EXPECT_TRUE(j.connections.empty());
}

TEST(Run, EveryCauseHasAnEntry) {
  EXPECT_EQ(causes().size(), 46u);
  EXPECT_EQ(causes().front().name, "none");
  EXPECT_EQ(causes().back().name, "unknown");
  for (const auto& one : causes()) EXPECT_FALSE(one.meaning.empty()) << one.name;
}

// What is said of the run, and what its operator did, changes nothing.
TEST(Labels, AreNoEvidence) {
  const auto make = [](bool labelled) {
    Story s;
    const Story::Rule rule{.name = labelled ? "application/closed crash kill" : "x"};
    s.handshake()
        .waiting('S', "recv 64")
        .act('C', "send 12", {.bytes = 12})
        .traced("C>S PA 1:13", rule)
        .recv_timeout('C', 300)
        .rule(rule, 1)
        .end();
    return s;
  };
  auto plain = make(false), labelled = make(true);
  auto timeline = labelled.timeline();
  timeline.provenance.scenario = "kernel-link-down";
  timeline.provenance.command = "lab run kernel-link-down";
  std::int64_t t = timeline.events.front().t_ns;
  std::vector<evidence::Event> more;
  for (const auto* step : {"link lo down", "kill server KILL", "destroy-sockets client", "inject-reset client",
                           "freeze server", "route blackhole 127.0.0.1"})
    more.push_back({.t_ns = t += 1000,
                    .what = evidence::StepDone{.role = "operator",
                                               .actor = "operator",
                                               .pid = 40,
                                               .tid = 40,
                                               .verb = std::string(step).substr(0, std::string(step).find(' ')),
                                               .step = step,
                                               .outcome = "ok",
                                               .start_ns = t,
                                               .end_ns = t}});
  timeline.events.insert(timeline.events.begin(), more.begin(), more.end());
  for (auto& event : timeline.events) {
    if (auto* step = std::get_if<evidence::StepDone>(&event.what); step && step->role != "operator")
      step->actor = "killer";
    if (auto* start = std::get_if<evidence::ProcessStart>(&event.what)) start->role = start->actor = "crasher";
  }
  const auto a = plain.judge(), b = judge(timeline);
  EXPECT_EQ(a.run.cause, "firewall/drop");
  EXPECT_EQ(b.run.cause, a.run.cause);
  EXPECT_EQ(b.run.status, a.run.status);
  ASSERT_EQ(b.connections.size(), a.connections.size());
  EXPECT_EQ(b.connections[0].by, a.connections[0].by);
  EXPECT_EQ(b.connections[0].closes, a.connections[0].closes);
}

}  // namespace
}  // namespace lab::verdict
