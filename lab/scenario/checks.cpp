#include "scenario/checks.hpp"

#include <algorithm>
#include <set>

#include "scenario/lookup.hpp"
#include "scenario/names.hpp"
#include "scenario/nearest.hpp"
#include "scenario/step.hpp"

namespace lab::scenario {
namespace {

template <class Use>
void for_each_step(const Scenario& scenario, Use use) {
  for (const auto& actor : scenario.actors) {
    for (const auto* step : flattened(actor.steps)) use(*step);
  }
}

std::set<std::string_view> rule_names(const Scenario& scenario) {
  std::set<std::string_view> names;
  for (const auto& rule : scenario.firewall.rules) names.insert(rule.name);
  for (const auto& [file, set] : scenario.firewall.library) {
    for (const auto& rule : set.rules) names.insert(rule.name);
  }
  return names;
}

void add_to_library(Reading& reading, Scenario& scenario, const Step& step) {
  if (const auto* set = rule_file(reading, step.words[0], step.place)) scenario.firewall.library[step.words[0]] = *set;
}

// A rule of a whole ruleset goes by its comment, which only the kernel's own listing knows for sure.
void check_deleted(Reading& reading, Scenario& scenario, const Step& step) {
  const auto& name = step.words[0];
  const auto names = rule_names(scenario);
  if (names.contains(name) || scenario.firewall.library.contains(name)) return;
  if (has_rule_file(reading, name)) return add_to_library(reading, scenario, step);
  if (!scenario.firewall.ruleset.empty()) return;
  reading.mistake(step.place, "delete-rules: there is no rule '" + name + "'", did_you_mean(name, views(names)));
}

void check_actor(Reading& reading, const Scenario& scenario, const Step& step) {
  std::set<std::string_view> names;
  for (const auto& actor : scenario.actors) {
    names.insert(actor.name);
    names.insert(name_of(actor.role));
  }
  const auto& name = step.words[0];
  if (names.contains(name)) return;
  reading.mistake(step.place, step.name + ": there is no actor '" + name + "'", did_you_mean(name, views(names)));
}

}  // namespace

void resolve_operator(Reading& reading, Scenario& scenario) {
  const auto each = [&](Verb verb, auto use) {
    for_each_step(scenario, [&](const Step& step) {
      if (step.verb == verb && !step.words.empty()) use(step);
    });
  };
  each(Verb::add_rules, [&](const Step& step) { add_to_library(reading, scenario, step); });
  each(Verb::delete_rules, [&](const Step& step) { check_deleted(reading, scenario, step); });
  for (const auto verb : {Verb::freeze, Verb::thaw, Verb::kill}) {
    each(verb, [&](const Step& step) { check_actor(reading, scenario, step); });
  }
}

void check_signals(Reading& reading, const Scenario& scenario) {
  std::set<std::string_view> set;
  for_each_step(scenario, [&](const Step& step) {
    if (step.verb == Verb::signal && !step.words.empty()) set.insert(step.words[0]);
  });
  for_each_step(scenario, [&](const Step& step) {
    if (step.verb != Verb::wait || step.words.empty() || set.contains(step.words[0])) return;
    auto hint = did_you_mean(step.words[0], views(set));
    if (hint.empty()) return;  // a wait without end may be meant
    reading.mistake(step.place, "wait: no step signals '" + step.words[0] + "'", std::move(hint));
  });
}

void check_expected_rules(Reading& reading, const Scenario& scenario) {
  const auto names = rule_names(scenario);
  for (const auto& expectation : scenario.expect.rules) {
    if (names.contains(expectation.key)) continue;
    auto hint = did_you_mean(expectation.key, views(names));
    if (!scenario.firewall.ruleset.empty() && hint.empty()) continue;  // a rule of the ruleset, by its comment
    if (scenario.firewall.ruleset.find(expectation.key) != std::string::npos) continue;
    reading.mistake(expectation.place, "expect.rules: there is no rule '" + expectation.key + "'", std::move(hint));
  }
}

void check_counters(Reading& reading, const Scenario& scenario) {
  constexpr std::string_view ends[] = {"client", "server", "router"};
  for (const auto& expectation : scenario.expect.counters) {
    const auto dot = expectation.key.find('.');
    if (dot == std::string::npos) continue;
    const auto end = expectation.key.substr(0, dot);
    if (std::find(std::begin(ends), std::end(ends), end) == std::end(ends)) {
      reading.mistake(expectation.place,
                      "expect.counters: expected client, server or router before the dot, found '" + end + "'",
                      did_you_mean(end, ends));
    } else if (scenario.network.topology == Topology::loopback) {
      reading.mistake(expectation.place, "expect.counters: only the routed topology counts for each end",
                      "'" + expectation.key.substr(dot + 1) + "', or network.topology = \"routed\"");
    }
  }
}

}  // namespace lab::scenario
