#include "run/telling.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "firewall/compiler.hpp"
#include "run/expect.hpp"
#include "run/faults.hpp"
#include "system/error.hpp"

namespace lab::run {

using report::Report;
using report::Result;

namespace {

using Instance = std::pair<std::string, std::uint32_t>;  // actor's name, instance

// A step's times count from the first actor's start: the report's zero.
report::StepLine step_line(const evidence::StepDone& step, std::int64_t zero) {
  const auto since = [&](std::int64_t t) { return t ? t - zero : 0; };
  return {.step = step.step, .outcome = step.outcome, .start_ns = since(step.start_ns), .end_ns = since(step.end_ns)};
}

class ActorLines {
 public:
  explicit ActorLines(std::int64_t zero) : zero_(zero) {}

  report::ActorLine& line(const std::string& role, const std::string& actor, std::uint32_t instance) {
    const auto [at, made] = places_.try_emplace(Instance{actor, instance}, lines_.size());
    if (made) lines_.push_back({.role = role, .name = actor, .instance = instance});
    return lines_[at->second];
  }
  void see(const evidence::StepDone& step) {
    line(step.role, step.actor, step.instance).steps.push_back(step_line(step, zero_));
  }
  void see(const evidence::Event& event) {
    if (const auto* start = std::get_if<evidence::ProcessStart>(&event.what))
      line(start->role, start->actor, start->instance);
    if (const auto* step = std::get_if<evidence::StepDone>(&event.what)) see(*step);
    if (const auto* exit = std::get_if<evidence::ProcessExit>(&event.what)) end(*exit);
    if (const auto* output = std::get_if<evidence::Output>(&event.what)) say(*output);
  }
  std::vector<report::ActorLine> take() { return std::move(lines_); }

 private:
  void end(const evidence::ProcessExit& exit) {
    if (exit.actor.empty()) return;  // an orphan that init inherited
    auto& one = line(exit.role, exit.actor, exit.instance);
    one.stopped = exit.by_lab;
    if (exit.signal)
      one.signal = sys::signal_name(exit.signal);
    else
      one.exit = exit.status;
  }
  void say(const evidence::Output& output) {
    auto& text = line(output.role, output.actor, output.instance).output;
    text += output.error ? "err| " : "out| ";
    text += output.text;
    if (!output.text.ends_with('\n')) text += '\n';
  }
  std::int64_t zero_;
  std::map<Instance, std::size_t> places_;
  std::vector<report::ActorLine> lines_;
};

// Typed rules as the compiler holds them; those of a whole ruleset as the collector read them. A dump brings the counts
// of its own machine along: only what came on top is this run's.
void add_rules(Report& report, std::vector<report::RuleLine>&& typed) {
  report.rules = std::move(typed);
  std::map<std::tuple<std::string, std::string, std::string, std::uint64_t>, const evidence::RuleState*> before;
  for (const auto& event : report.timeline.events) {
    const auto* rule = std::get_if<evidence::RuleState>(&event.what);
    if (!rule || !rule->handle || rule->table == firewall::kTable) continue;
    auto& start = before[{rule->netns, rule->family, rule->table, rule->handle}];
    if (rule->when != "end") {
      start = rule;
      continue;
    }
    const bool counts_on = start && start->packets <= rule->packets && start->bytes <= rule->bytes;
    report.rules.push_back({.name = rule->name,
                            .text = rule->text,
                            .place = rule->file,
                            .packets = rule->packets - (counts_on ? start->packets : 0),
                            .bytes = rule->bytes - (counts_on ? start->bytes : 0)});
  }
}

void add_counters(Report& report) {
  for (const auto& event : report.timeline.events)
    if (const auto* counter = std::get_if<evidence::Counter>(&event.what)) {
      report.counters[counter->name] += counter->change;
      if (!counter->netns.empty()) report.counters[counter->netns + "." + counter->name] = counter->change;
    }
}

Result result_of(const scenario::Scenario& scenario, const Gathered& gathered, const Report& report) {
  if (gathered.end != RunEnd::complete) return Result::timeout;
  if (std::any_of(report.expectations.begin(), report.expectations.end(), [](auto& e) { return !e.held; }))
    return Result::fail;
  if (std::any_of(report.faults.begin(), report.faults.end(), [&](auto& f) { return missing(f, scenario.expect); }))
    return Result::fault_not_fired;
  return Result::pass;
}

Result result_of(Failure failure) {
  switch (failure) {
    case Failure::unavailable:
      return Result::skipped;
    case Failure::invalid:
      return Result::invalid;
    default:
      return Result::error;
  }
}

std::string last_line(const std::string& output) {
  std::string_view text(output);
  while (text.ends_with('\n')) text.remove_suffix(1);
  if (const auto start = text.rfind('\n'); start != text.npos) text.remove_prefix(start + 1);
  return std::string(text.substr(std::min(text.size(), std::string_view("out| ").size())));
}

// A scenario's program that ends with 77 lacks something here, as a test of automake's or meson's does; what it said
// last is the reason. "" where none did, or where the scenario expects that status.
std::string lacking(const scenario::Scenario& scenario, const Report& report) {
  constexpr int kLacks = 77;
  if (scenario.path.empty()) return "";
  for (const auto& actor : report.actors) {
    if (actor.exit != kLacks) continue;
    const auto wanted = scenario.expect.actors.find(actor.name);
    const bool expected = wanted != scenario.expect.actors.end() &&
                          std::any_of(wanted->second.begin(), wanted->second.end(), [](const auto& each) {
                            return each.key == "exit" && each.source == std::to_string(kLacks);
                          });
    if (!expected) return actor.output.empty() ? actor.name + " ended with 77" : last_line(actor.output);
  }
  return "";
}

// Clients do not wait for a server for ever: half of the timeout is left for them.
void note_late_servers(const scenario::Scenario& scenario, Report& report) {
  const bool late = std::any_of(report.timeline.events.begin(), report.timeline.events.end(), [](const auto& event) {
    const auto* milestone = std::get_if<evidence::Milestone>(&event.what);
    return milestone && milestone->what == "not-listening";
  });
  if (late)
    report.notes.push_back(
        fmt::format("the server did not listen on its port within {} ms, half of the timeout, and the rest was started "
                    "without it; if it takes longer, give a longer timeout (--timeout)",
                    scenario.timeout.count() / 2'000'000));
}

double ms(std::int64_t ns) { return static_cast<double>(ns) / 1e6; }

std::string why_cut_short(const scenario::Scenario& scenario, const Gathered& gathered) {
  switch (gathered.end) {
    case RunEnd::deadline:
      return fmt::format("the run's deadline of {} ms passed",
                         std::chrono::duration_cast<std::chrono::milliseconds>(scenario.timeout).count());
    case RunEnd::interrupted:
      return fmt::format("interrupted after {:.0f} ms", ms(gathered.ended_ns - gathered.acting_ns));
    default:
      return {};
  }
}

}  // namespace

Report tell(const scenario::Scenario& scenario, Gathered&& gathered) {
  Report report{.scenario = scenario.name, .summary = scenario.summary, .path = scenario.path};
  if (gathered.failure != Failure::none) {
    report.result = result_of(gathered.failure);
    report.reason = gathered.reason;
    report.timeline = std::move(gathered.timeline);
    return report;
  }
  auto& events = gathered.timeline.events;
  std::stable_sort(events.begin(), events.end(), [](const auto& a, const auto& b) { return a.t_ns < b.t_ns; });
  report.judgement = verdict::judge(gathered.timeline);
  report.expectations = compare(scenario, gathered, report.judgement);
  report.faults = faults_of(scenario, gathered);

  ActorLines actors(gathered.acting_ns);
  for (const auto& event : events) actors.see(event);
  for (const auto& step : gathered.operator_steps) actors.see(step);
  report.actors = actors.take();
  report.result = result_of(scenario, gathered, report);
  report.reason = why_cut_short(scenario, gathered);
  if (const auto why = lacking(scenario, report); !why.empty()) {
    report.result = Result::skipped;
    report.reason = why;
  }
  report.zero_ns = gathered.acting_ns;
  report.timing.setup = ms(gathered.acting_ns - gathered.started_ns);
  report.timing.run = ms(gathered.ended_ns - gathered.acting_ns);
  report.timeline = std::move(gathered.timeline);
  add_rules(report, std::move(gathered.rules));
  add_counters(report);
  note_late_servers(scenario, report);
  return report;
}

}  // namespace lab::run
