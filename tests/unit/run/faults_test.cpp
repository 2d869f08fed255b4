#include "run/faults.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "run/run.hpp"

namespace {

using lab::run::faults_of;
using lab::run::Gathered;
using lab::run::missing;
using namespace lab::scenario;

Scenario with_rule(RuleAction action) {
  Scenario scenario;
  scenario.firewall.rules = {{.name = "r", .action = action}};
  return scenario;
}

Gathered with_hits(std::uint64_t packets) {
  Gathered gathered;
  gathered.timeline.events = {{.what = lab::evidence::RuleState{.name = "r", .packets = packets, .when = "end"}}};
  return gathered;
}

TEST(Faults, ADropRuleThatHitHasFired) {
  const auto faults = faults_of(with_rule(RuleAction::drop), with_hits(2));
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(faults[0].fired);
  EXPECT_EQ(faults[0].count, 2U);
  EXPECT_FALSE(missing(faults[0], {}));
}

TEST(Faults, ADropRuleThatNeverHitIsMissing) {
  const auto faults = faults_of(with_rule(RuleAction::drop), with_hits(0));
  ASSERT_EQ(faults.size(), 1U);
  EXPECT_TRUE(missing(faults[0], {}));
}

TEST(Faults, AnExplicitExpectationDecidesInstead) {
  auto scenario = with_rule(RuleAction::drop);
  scenario.expect.rules = {{.key = "r", .number = Comparison{}}};
  EXPECT_FALSE(missing(faults_of(scenario, with_hits(0)).at(0), scenario.expect));
}

TEST(Faults, ARuleThatCountsOrAcceptsIsNone) {
  EXPECT_TRUE(faults_of(with_rule(RuleAction::count), with_hits(0)).empty());
  EXPECT_TRUE(faults_of(with_rule(RuleAction::accept), with_hits(0)).empty());
}

TEST(Faults, ALimitIsHitByTheErrnoItGives) {
  Scenario scenario;
  scenario.actors = {{.role = Role::server, .name = "server"}};
  scenario.actors[0].limits.nofile = 8;
  Gathered gathered;
  EXPECT_TRUE(missing(faults_of(scenario, gathered).at(0), {}));
  gathered.timeline.events = {{.what = lab::evidence::StepDone{.actor = "server", .verb = "accept", .error = EMFILE}}};
  EXPECT_TRUE(faults_of(scenario, gathered).at(0).fired);
}

TEST(Faults, ALimitOnAProgramWhoseCallsNobodySawIsUnobserved) {
  Scenario scenario;
  scenario.actors = {{.role = Role::server, .name = "server", .run = {"program"}}};
  scenario.actors[0].limits.nofile = 8;
  const auto fault = faults_of(scenario, {}).at(0);
  EXPECT_TRUE(fault.unobserved);
  EXPECT_FALSE(missing(fault, {}));
}

TEST(Control, TakesTheFaultsOutAndKeepsTheRest) {
  auto scenario = with_rule(RuleAction::drop);
  scenario.firewall.rules.push_back({.name = "watch", .action = RuleAction::count});
  scenario.actors = {{.role = Role::op, .steps = {{.verb = Verb::wait}, {.verb = Verb::link}}}};
  const auto control = lab::run::control_of(scenario);
  ASSERT_TRUE(control);
  ASSERT_EQ(control->firewall.rules.size(), 1U);
  EXPECT_EQ(control->firewall.rules[0].name, "watch");
  ASSERT_EQ(control->actors[0].steps.size(), 1U);
  EXPECT_EQ(control->actors[0].steps[0].verb, Verb::wait);
}

// A storm against a short queue would lose connections without the limit, too.
TEST(Control, HasRoomForWhoeverConnects) {
  Scenario scenario;
  scenario.actors = {{.role = Role::server, .steps = {{.verb = Verb::accept}}}};
  scenario.actors[0].backlog = 10;
  EXPECT_FALSE(lab::run::control_of(scenario)) << "the queue alone is the scenario's own doing";
  scenario.actors[0].limits.nproc = 30;
  const auto control = lab::run::control_of(scenario);
  ASSERT_TRUE(control);
  EXPECT_GE(control->actors[0].backlog, 4096);
}

TEST(Control, AScenarioWhoseCauseLiesInItsStepsHasNone) {
  Scenario scenario;
  scenario.actors = {{.role = Role::server, .steps = {{.verb = Verb::accept}, {.verb = Verb::close}}}};
  EXPECT_FALSE(lab::run::control_of(scenario));
}

}  // namespace
