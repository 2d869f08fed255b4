#include "scenario/checks.hpp"

#include <algorithm>
#include <set>

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

void about_word(Reading& reading, const Step& step, const std::string& word, const std::string& what,
                std::string hint) {
  reading.mistake(word_place(step, word), step.name + ": " + what + " '" + word + "'", std::move(hint));
}

}  // namespace

std::set<std::string_view> rule_names(const Scenario& scenario) {
  std::set<std::string_view> names;
  for (const auto& rule : scenario.firewall.rules) names.insert(rule.name);
  for (const auto& [file, set] : scenario.firewall.library) {
    for (const auto& rule : set.rules) names.insert(rule.name);
  }
  return names;
}

Place word_place(const Step& step, const std::string& word) {
  auto place = step.place;
  const auto at = step.source.rfind(" " + word);
  if (place.line > 0 && at != std::string::npos) place.column += static_cast<std::uint32_t>(at + 1);
  return place;
}

void check_connections(Reading& reading, const Scenario& scenario) {
  for (const auto& actor : scenario.actors) {
    const auto steps = flattened(actor.steps);
    std::set<std::string_view> names;
    for (const auto* step : steps) {
      if (step->verb == Verb::connect || step->verb == Verb::accept) names.insert(step->connection);
    }
    const auto check = [&](const Step& step, const std::string& name) {
      if (name.empty() || names.contains(name)) return;
      auto hint = did_you_mean(name, views(names));
      if (hint.empty()) hint = "'connect as=" + name + "' or 'accept as=" + name + "' gives one that name";
      about_word(reading, step, name, "no step opens a connection named", std::move(hint));
    };
    for (const auto* step : steps) {
      const bool opens = step->verb == Verb::connect || step->verb == Verb::accept;
      if (!opens) check(*step, step->connection);
      if (step->verb != Verb::relay) continue;
      for (const auto& name : step->words) check(*step, name);
    }
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
    about_word(reading, step, step.words[0], "no step signals", std::move(hint));
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
