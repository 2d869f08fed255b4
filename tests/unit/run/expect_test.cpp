#include "run/expect.hpp"

#include <gtest/gtest.h>

namespace {

using lab::evidence::Event;
using lab::run::accepts;
using lab::run::compare;
using lab::run::Gathered;
using lab::run::holds;
using lab::scenario::Comparison;
using lab::scenario::Expectation;
using lab::scenario::Scenario;

Event step(const char* actor, std::uint32_t instance, std::uint32_t index, const char* verb, const char* outcome) {
  return {.t_ns = 1,
          .what = lab::evidence::StepDone{
              .actor = actor, .instance = instance, .index = index, .verb = verb, .outcome = outcome}};
}

Expectation any_of(const char* key, std::vector<std::string> outcomes) {
  Expectation e{.key = key, .outcomes = std::move(outcomes)};
  e.source = e.outcomes.front();
  return e;
}

// The one line that comparing `wanted` of the client with `events` gives.
lab::report::ExpectationLine client_line(const Expectation& wanted, std::vector<Event> events) {
  Scenario scenario;
  scenario.expect.actors["client"] = {wanted};
  Gathered gathered;
  gathered.timeline.events = std::move(events);
  const auto lines = compare(scenario, gathered, {});
  EXPECT_EQ(lines.size(), 1U);
  return lines.at(0);
}

TEST(Accepts, OkIsAnyNumberOfBytesAboveZero) {
  EXPECT_TRUE(accepts("ok", "ok"));
  EXPECT_TRUE(accepts("ok", "5 bytes"));
  EXPECT_FALSE(accepts("ok", "0 bytes"));
  EXPECT_FALSE(accepts("ok", "eof"));
  EXPECT_FALSE(accepts("5 bytes", "ok"));
}

TEST(Accepts, ASignalMayLackItsPrefix) {
  EXPECT_TRUE(accepts("SEGV", "SIGSEGV"));
  EXPECT_TRUE(accepts("SIGSEGV", "SIGSEGV"));
  EXPECT_FALSE(accepts("KILL", "SIGSEGV"));
}

TEST(Holds, EachComparison) {
  using Op = Comparison::Op;
  const auto with = [](Op op) { return Comparison{.op = op, .value = 3}; };
  EXPECT_TRUE(holds(with(Op::equal), 3));
  EXPECT_FALSE(holds(with(Op::equal), 4));
  EXPECT_TRUE(holds(with(Op::not_equal), 4));
  EXPECT_TRUE(holds(with(Op::less), 2));
  EXPECT_FALSE(holds(with(Op::less), 3));
  EXPECT_TRUE(holds(with(Op::at_most), 3));
  EXPECT_TRUE(holds(with(Op::more), 4));
  EXPECT_FALSE(holds(with(Op::more), 3));
  EXPECT_TRUE(holds(with(Op::at_least), 3));
  EXPECT_FALSE(holds(with(Op::at_least), -1));
}

TEST(Compare, ABareVerbIsItsFirstUse) {
  const auto line = client_line(any_of("recv", {"eof"}),
                                {step("client", 0, 1, "recv", "eof"), step("client", 0, 3, "recv", "timeout")});
  EXPECT_TRUE(line.held);
  EXPECT_EQ(line.key, "client.recv");
  EXPECT_EQ(line.actual, "eof");
}

TEST(Compare, TheSecondUseIsCountedByPositionNotByTime) {
  const auto line = client_line(any_of("recv#2", {"timeout"}),
                                {step("client", 0, 3, "recv", "timeout"), step("client", 0, 1, "recv", "eof")});
  EXPECT_TRUE(line.held);
}

TEST(Compare, EveryInstanceHasToAgree) {
  const auto line = client_line(any_of("recv", {"eof"}),
                                {step("client", 0, 1, "recv", "eof"), step("client", 1, 1, "recv", "timeout")});
  EXPECT_FALSE(line.held);
  EXPECT_EQ(line.actual, "1 x eof, 1 x timeout");
}

TEST(Compare, CountsOverInstances) {
  Expectation wanted{.key = "recv"};
  wanted.counts["eof"] = {.op = Comparison::Op::at_least, .value = 2};
  wanted.counts["ECONNRESET"] = {.op = Comparison::Op::at_most, .value = 1};
  EXPECT_TRUE(client_line(wanted, {step("client", 0, 1, "recv", "eof"), step("client", 1, 1, "recv", "eof"),
                                   step("client", 2, 1, "recv", "ECONNRESET")})
                  .held);
  EXPECT_FALSE(client_line(wanted, {step("client", 0, 1, "recv", "eof")}).held);
}

TEST(Compare, AStepThatIsNotThereHoldsNothing) {
  const auto line = client_line(any_of("recv", {"eof"}), {step("server", 0, 1, "recv", "eof")});
  EXPECT_FALSE(line.held);
  EXPECT_EQ(line.actual, "nothing");
}

TEST(Compare, AProgramThatTheLabStoppedIsStopped) {
  const auto exit = [](int status, int signal, bool by_lab) {
    return Event{
        .t_ns = 1,
        .what = lab::evidence::ProcessExit{.actor = "client", .status = status, .signal = signal, .by_lab = by_lab}};
  };
  EXPECT_TRUE(client_line(any_of("exit", {"stopped"}), {exit(0, 9, true)}).held);
  EXPECT_TRUE(client_line(any_of("exit", {"SIGKILL"}), {exit(0, 9, false)}).held);
  EXPECT_TRUE(client_line(any_of("exit", {"3"}), {exit(3, 0, false)}).held);
  EXPECT_FALSE(client_line(any_of("exit", {"0"}), {exit(3, 0, false)}).held);
}

TEST(Compare, CountersAddUpOverNamespacesUnlessOneIsNamed) {
  Scenario scenario;
  const Comparison three{.op = Comparison::Op::equal, .value = 3}, two{.op = Comparison::Op::equal, .value = 2};
  scenario.expect.counters = {{.key = "TcpRetransSegs", .number = three},
                              {.key = "server.TcpRetransSegs", .number = two}};
  Gathered gathered;
  gathered.timeline.events = {
      {.what = lab::evidence::Counter{.netns = "client", .name = "TcpRetransSegs", .change = 1}},
      {.what = lab::evidence::Counter{.netns = "server", .name = "TcpRetransSegs", .change = 2}}};
  for (const auto& line : compare(scenario, gathered, {})) EXPECT_TRUE(line.held) << line.key << " " << line.actual;
}

TEST(Compare, OnlyTheCounterAtTheEndIsARulesNumberOfHits) {
  Scenario scenario;
  scenario.expect.rules = {{.key = "r", .number = Comparison{.op = Comparison::Op::equal, .value = 5}}};
  Gathered gathered;
  gathered.timeline.events = {{.what = lab::evidence::RuleState{.name = "r", .packets = 9, .when = "start"}},
                              {.what = lab::evidence::RuleState{.name = "r", .packets = 5, .when = "end"}}};
  EXPECT_TRUE(compare(scenario, gathered, {}).at(0).held);
}

TEST(Compare, TheCauseMayBeOneOfSeveral) {
  Scenario scenario;
  scenario.expect.cause = {"application/closed", "application/closed-unread"};
  lab::verdict::Judgement judgement;
  judgement.run.cause = "application/closed-unread";
  EXPECT_TRUE(compare(scenario, {}, judgement).at(0).held);
  judgement.run.cause = "application/reset";
  EXPECT_FALSE(compare(scenario, {}, judgement).at(0).held);
}

}  // namespace
