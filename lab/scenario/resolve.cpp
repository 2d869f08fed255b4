// What the operator's steps name: rules, rule files, actors.
#include <algorithm>
#include <set>

#include "scenario/checks.hpp"
#include "scenario/lookup.hpp"
#include "scenario/names.hpp"
#include "scenario/nearest.hpp"

namespace lab::scenario {
namespace {

void add_to_library(Reading& reading, Scenario& scenario, const Step& step) {
  const auto& name = step.words[0];
  if (name.ends_with(".nft")) {
    if (auto file = ruleset_file(reading, name, word_place(step, name)))
      scenario.firewall.library[name] = {
          .name = name, .summary = "", .path = std::move(file->path), .whole = std::move(file->text), .rules = {}};
    return;
  }
  if (const auto* set = rule_file(reading, name, word_place(step, name))) scenario.firewall.library[name] = *set;
}

// A rule of a whole ruleset goes by its comment, which only the kernel's own listing knows for sure.
void check_deleted(Reading& reading, Scenario& scenario, const Step& step) {
  const auto& name = step.words[0];
  const auto names = rule_names(scenario);
  if (names.contains(name) || scenario.firewall.library.contains(name)) return;
  if (has_rule_file(reading, name)) return add_to_library(reading, scenario, step);
  if (!scenario.firewall.ruleset.empty()) return;
  reading.mistake(word_place(step, name), "delete-rules: there is no rule '" + name + "'",
                  did_you_mean(name, views(names)));
}

// A role's name stands for the one actor that has it.
void find_actor(Reading& reading, const Scenario& scenario, Step& step) {
  auto& name = step.words[0];
  std::vector<std::string_view> names, of_role;
  for (const auto& actor : scenario.actors) {
    if (actor.name == name) return;
    names.push_back(actor.name);
    if (name_of(actor.role) == name) of_role.push_back(actor.name);
  }
  if (of_role.size() == 1) {
    name = of_role[0];
    return;
  }
  auto hint = of_role.empty() ? did_you_mean(name, names) : "choose one of " + one_of(of_role);
  const std::string what = of_role.empty() ? "there is no actor '" : "there are several actors of the role '";
  reading.mistake(word_place(step, name), step.name + ": " + what + name + "'", std::move(hint));
}

struct Resolver {
  Verb verb;
  void (*resolve)(Reading&, Scenario&, Step&);
};

// Files before what may name their rules.
constexpr Resolver kResolvers[] = {
    {Verb::add_rules, [](Reading& r, Scenario& s, Step& step) { add_to_library(r, s, step); }},
    {Verb::delete_rules, [](Reading& r, Scenario& s, Step& step) { check_deleted(r, s, step); }},
    {Verb::freeze, [](Reading& r, Scenario& s, Step& step) { find_actor(r, s, step); }},
    {Verb::thaw, [](Reading& r, Scenario& s, Step& step) { find_actor(r, s, step); }},
    {Verb::kill, [](Reading& r, Scenario& s, Step& step) { find_actor(r, s, step); }},
};

void resolve(Reading& reading, Scenario& scenario, const Resolver& resolver, std::vector<Step>& steps) {
  for (auto& step : steps) {
    if (step.verb == resolver.verb && !step.words.empty()) resolver.resolve(reading, scenario, step);
    resolve(reading, scenario, resolver, step.body);
  }
}

}  // namespace

void resolve_operator(Reading& reading, Scenario& scenario) {
  for (const auto& resolver : kResolvers) {
    for (auto& actor : scenario.actors) {
      if (actor.role == Role::op) resolve(reading, scenario, resolver, actor.steps);
    }
  }
}

}  // namespace lab::scenario
