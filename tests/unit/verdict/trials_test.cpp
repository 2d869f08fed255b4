// For every cause: its typical case, its nearest look-alike, timelines with events missing, and labels that say
// otherwise.
#include "unit/verdict/trials.hpp"

#include <algorithm>
#include <set>

namespace lab::verdict {
namespace {

std::vector<Trial> trials() {
  std::vector<Trial> all;
  for (const auto& part : {application_trials(), limits_trials(), between_trials(), connect_trials()})
    all.insert(all.end(), part.begin(), part.end());
  return all;
}

class OnTrial : public testing::TestWithParam<Trial> {};

// Without connections the run's verdict is all there is; with a proxy the first connection is the client's.
Verdict verdict_of(const evidence::Timeline& timeline) {
  const auto j = judge(timeline);
  return j.connections.empty() ? j.run : j.connections.front().verdict;
}

TEST_P(OnTrial, IsConfirmed) {
  auto s = GetParam().typical();
  const auto verdict = verdict_of(s.timeline());
  EXPECT_EQ(verdict.cause, GetParam().cause) << told(verdict);
  EXPECT_EQ(verdict.status, Status::confirmed) << told(verdict);
  EXPECT_FALSE(verdict.summary.empty());
  if (verdict.cause != "none") {
    EXPECT_FALSE(verdict.next.empty());
    EXPECT_FALSE(verdict.culprit.kind.empty()) << told(verdict);
  }
}

TEST_P(OnTrial, ItsLookAlikeIsNotIt) {
  auto s = GetParam().look_alike();
  const auto verdict = verdict_of(s.timeline());
  EXPECT_EQ(verdict.cause, GetParam().other) << told(verdict);
}

// With any one source off, and with any two, it may be weaker, but it is never surely another.
TEST_P(OnTrial, WithEventsMissingIsNeverSurelyAnother) {
  std::set<std::string> sources;
  auto whole = GetParam().typical();
  for (const auto& one : whole.timeline().provenance.collectors) sources.insert(one.name);
  for (const auto& first : sources)
    for (const auto& second : sources) {
      if (second < first) continue;
      auto s = GetParam().typical();
      s.drop_source(first).drop_source(second);
      const auto verdict = verdict_of(s.timeline());
      if (verdict.status == Status::confirmed) {
        EXPECT_EQ(verdict.cause, GetParam().cause) << "without " << first << " and " << second << ": " << told(verdict);
      }
    }
}

// A source that lost some of its events: the same, and the verdict is not surer than with all of them.
TEST_P(OnTrial, LosingEventsMakesNothingSurer) {
  auto whole = GetParam().typical();
  std::set<std::string> sources;
  for (const auto& one : whole.timeline().provenance.collectors) sources.insert(one.name);
  for (const auto& source : sources) {
    auto s = GetParam().typical();
    s.lose(source, 7);
    const auto verdict = verdict_of(s.timeline());
    EXPECT_EQ(verdict.cause == "unknown" ? GetParam().cause : verdict.cause, GetParam().cause)
        << source << " lost events: " << told(verdict);
    if (verdict.status != Status::confirmed) {
      const bool said = std::any_of(verdict.next.begin(), verdict.next.end(), [&](const std::string& next) {
        return next.find(source) != std::string::npos && next.find("lost") != std::string::npos;
      });
      EXPECT_TRUE(said) << source << ": " << told(verdict);
    }
  }
}

const char* const kMisleading[] = {"firewall/drop drops everything", "crash kill SIGSEGV", "nofile EMFILE descriptors",
                                   "reject with tcp reset",          "link lo down",       "none"};

std::vector<evidence::Event> operators_steps(std::int64_t t) {
  std::vector<evidence::Event> all;
  for (const std::string step : {"link lo down", "kill server KILL", "destroy-sockets client", "inject-reset client",
                                 "inject-fin client", "freeze server", "route blackhole 127.0.0.1", "add-rules drop",
                                 "address delete 127.0.0.1", "ipsec block out", "attach xdp-drop", "flush-conntrack"})
    all.push_back({.t_ns = ++t,
                   .what = evidence::StepDone{.role = "operator",
                                              .actor = "operator",
                                              .pid = 40,
                                              .tid = 40,
                                              .verb = step.substr(0, step.find(' ')),
                                              .step = step,
                                              .outcome = "ok",
                                              .start_ns = t,
                                              .end_ns = t}});
  return all;
}

// Names that a scenario chooses: its own, its actors' and its rules'.
struct Rename {
  const char* lie;
  void operator()(evidence::StepDone& step) const { step.actor = lie; }
  void operator()(evidence::ProcessStart& start) const { start.role = start.actor = lie; }
  void operator()(evidence::ProcessExit& exit) const { exit.role = exit.actor = lie; }
  void operator()(evidence::Output& output) const { output.role = output.actor = lie; }
  void operator()(evidence::TraceHit& hit) const { hit.name = lie; }
  void operator()(evidence::RuleState& rule) const { rule.name = lie; }
  void operator()(auto&) const {}
};

TEST_P(OnTrial, LabelsAndOperatorsAreNoEvidence) {
  auto plain = GetParam().typical();
  const auto right = judge(plain.timeline());
  for (const auto* lie : kMisleading) {
    auto timeline = plain.timeline();
    timeline.provenance.scenario = timeline.provenance.command = lie;
    for (auto& event : timeline.events) std::visit(Rename{lie}, event.what);
    const auto more = operators_steps(timeline.events.front().t_ns);
    timeline.events.insert(timeline.events.begin() + 1, more.begin(), more.end());
    timeline.events.push_back({.t_ns = timeline.events.back().t_ns + 1, .what = evidence::Output{.text = lie}});
    const auto told_otherwise = judge(timeline);
    EXPECT_EQ(told_otherwise.run.cause, right.run.cause) << lie << told(told_otherwise.run);
    EXPECT_EQ(told_otherwise.run.status, right.run.status) << lie << told(told_otherwise.run);
    ASSERT_EQ(told_otherwise.connections.size(), right.connections.size());
    for (std::size_t i = 0; i < right.connections.size(); ++i) {
      EXPECT_EQ(told_otherwise.connections[i].by, right.connections[i].by);
      EXPECT_EQ(told_otherwise.connections[i].closes, right.connections[i].closes);
      EXPECT_EQ(told_otherwise.connections[i].verdict.cause, right.connections[i].verdict.cause);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Cause, OnTrial, testing::ValuesIn(trials()), [](const auto& which) {
  std::string name = which.param.cause;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == '-'; }, '_');
  return name;
});

TEST(Trials, EveryCauseHasOne) {
  std::set<std::string> tried;
  for (const auto& one : trials()) tried.insert(one.cause);
  for (const auto& one : causes())
    if (one.name != "unknown") {
      EXPECT_EQ(tried.count(std::string(one.name)), 1U) << one.name;
    }
}

}  // namespace
}  // namespace lab::verdict
