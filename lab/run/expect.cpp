#include "run/expect.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "system/error.hpp"

namespace lab::run {

using report::ExpectationLine;
using scenario::Comparison;
using scenario::Expectation;

namespace {

// Outcomes with how often each was seen, in order of first appearance.
class Tally {
 public:
  void add(const std::string& outcome) {
    const auto at = std::find_if(counts_.begin(), counts_.end(), [&](auto& c) { return c.first == outcome; });
    if (at == counts_.end())
      counts_.emplace_back(outcome, 1);
    else
      ++at->second;
  }
  bool empty() const { return counts_.empty(); }
  std::uint64_t of(const std::string& accepted) const {
    std::uint64_t sum = 0;
    for (const auto& [outcome, count] : counts_)
      if (accepts(accepted, outcome)) sum += count;
    return sum;
  }
  bool all(const std::vector<std::string>& accepted) const {
    return std::all_of(counts_.begin(), counts_.end(), [&](auto& c) {
      return std::any_of(accepted.begin(), accepted.end(), [&](auto& a) { return accepts(a, c.first); });
    });
  }
  std::string text() const {
    if (counts_.empty()) return "nothing";
    if (counts_.size() == 1) return counts_[0].first;
    std::vector<std::string> parts;
    for (const auto& [outcome, count] : counts_) parts.push_back(fmt::format("{} x {}", count, outcome));
    return fmt::format("{}", fmt::join(parts, ", "));
  }

 private:
  std::vector<std::pair<std::string, std::uint64_t>> counts_;
};

ExpectationLine line(std::string key, const Expectation& wanted, const Tally& seen) {
  ExpectationLine out{.key = std::move(key), .expected = wanted.source, .actual = seen.text()};
  if (!wanted.counts.empty())
    out.held = std::all_of(wanted.counts.begin(), wanted.counts.end(),
                           [&](auto& c) { return holds(c.second, static_cast<std::int64_t>(seen.of(c.first))); });
  else
    out.held = !seen.empty() && seen.all(wanted.outcomes);
  return out;
}

// "recv#2" is the second recv among an actor's steps.
std::pair<std::string, std::uint32_t> split_key(const std::string& key) {
  const auto hash = key.find('#');
  if (hash == std::string::npos) return {key, 1};
  return {key.substr(0, hash), static_cast<std::uint32_t>(std::stoul(key.substr(hash + 1)))};
}

// A step that is repeated, or run by many instances, has one outcome for each.
Tally outcomes_of_step(const std::string& actor, const std::string& key, const std::vector<evidence::StepDone>& steps) {
  const auto [verb, wanted] = split_key(key);
  std::vector<std::uint32_t> indices;  // of this verb's steps, in the actor's order
  for (const auto& step : steps)
    if (step.actor == actor && step.verb == verb) indices.push_back(step.index);
  std::sort(indices.begin(), indices.end());
  indices.erase(std::unique(indices.begin(), indices.end()), indices.end());
  Tally tally;
  if (wanted > indices.size()) return tally;
  for (const auto& step : steps)
    if (step.actor == actor && step.verb == verb && step.index == indices[wanted - 1]) tally.add(step.outcome);
  return tally;
}

std::string ending_of(const evidence::ProcessExit& exit) {
  if (exit.by_lab) return "stopped";
  return exit.signal ? sys::signal_name(exit.signal) : std::to_string(exit.status);
}

Tally endings_of(const std::string& actor, const Gathered& gathered) {
  Tally tally;
  for (const auto& event : gathered.timeline.events)
    if (const auto* exit = std::get_if<evidence::ProcessExit>(&event.what); exit && exit->actor == actor)
      tally.add(ending_of(*exit));
  return tally;
}

ExpectationLine number_line(std::string key, const Expectation& wanted, std::int64_t actual) {
  return {.key = std::move(key),
          .expected = wanted.source,
          .actual = std::to_string(actual),
          .held = wanted.number && holds(*wanted.number, actual)};
}

// A rule by its name; the counters of rules that share it add up (one for each address family or topology side).
std::int64_t hits_of(const std::string& name, const Gathered& gathered) {
  std::int64_t hits = 0;
  for (const auto& rule : gathered.rules)
    if (rule.name == name) hits += static_cast<std::int64_t>(rule.packets);
  if (hits) return hits;
  for (const auto& event : gathered.timeline.events)
    if (const auto* rule = std::get_if<evidence::RuleState>(&event.what);
        rule && rule->when == "end" && rule->name == name)
      hits += static_cast<std::int64_t>(rule->packets);
  return hits;
}

// "TcpRetransSegs" sums over namespaces; "server.TcpRetransSegs" is the server's.
std::int64_t counter_of(const std::string& key, const Gathered& gathered) {
  const auto dot = key.find('.');
  const auto netns = dot == std::string::npos ? std::string() : key.substr(0, dot);
  const auto name = dot == std::string::npos ? key : key.substr(dot + 1);
  std::int64_t sum = 0;
  for (const auto& event : gathered.timeline.events)
    if (const auto* counter = std::get_if<evidence::Counter>(&event.what);
        counter && counter->name == name && (netns.empty() || netns == counter->netns))
      sum += counter->change;
  return sum;
}

Tally closes_of(const verdict::Judgement& judgement) {
  Tally tally;
  for (const auto& connection : judgement.connections) tally.add(connection.closes);
  if (judgement.connections.empty()) tally.add("none");
  return tally;
}

ExpectationLine cause_line(const std::vector<std::string>& wanted, const verdict::Verdict& verdict) {
  const auto one_of = std::find(wanted.begin(), wanted.end(), verdict.cause) != wanted.end();
  return {.key = "cause",
          .expected = fmt::format("{}", fmt::join(wanted, " or ")),
          .actual = fmt::format("{} ({})", verdict.cause, verdict::name_of(verdict.status)),
          .held = one_of};
}

}  // namespace

bool accepts(const std::string& accepted, const std::string& outcome) {
  if (accepted == outcome) return true;
  if (accepted == "ok") return outcome.ends_with(" bytes") && outcome != "0 bytes";
  return outcome.starts_with("SIG") && outcome.substr(3) == accepted;
}

bool holds(const Comparison& comparison, std::int64_t value) {
  const auto wanted = static_cast<std::int64_t>(comparison.value);
  switch (comparison.op) {
    case Comparison::Op::equal:
      return value == wanted;
    case Comparison::Op::not_equal:
      return value != wanted;
    case Comparison::Op::less:
      return value < wanted;
    case Comparison::Op::at_most:
      return value <= wanted;
    case Comparison::Op::more:
      return value > wanted;
    case Comparison::Op::at_least:
      return value >= wanted;
  }
  return false;
}

std::vector<ExpectationLine> compare(const scenario::Scenario& scenario, const Gathered& gathered,
                                     const verdict::Judgement& judgement) {
  const auto& expect = scenario.expect;
  std::vector<evidence::StepDone> steps = gathered.operator_steps;
  for (const auto& event : gathered.timeline.events)
    if (const auto* step = std::get_if<evidence::StepDone>(&event.what)) steps.push_back(*step);

  std::vector<ExpectationLine> lines;
  if (!expect.cause.empty()) lines.push_back(cause_line(expect.cause, judgement.run));
  for (const auto& [actor, wanted] : expect.actors)
    for (const auto& one : wanted)
      lines.push_back(line(actor + "." + one.key, one,
                           one.key == "exit" ? endings_of(actor, gathered) : outcomes_of_step(actor, one.key, steps)));
  for (const auto& one : expect.wire) lines.push_back(line("wire." + one.key, one, closes_of(judgement)));
  for (const auto& one : expect.rules)
    lines.push_back(number_line("rules." + one.key, one, hits_of(one.key, gathered)));
  for (const auto& one : expect.counters)
    lines.push_back(number_line("counters." + one.key, one, counter_of(one.key, gathered)));
  return lines;
}

}  // namespace lab::run
