#include <algorithm>
#include <set>

#include "run/run.hpp"

namespace lab::run {

using scenario::Verb;

namespace {

constexpr int kAmple = 4096;  // net.core.somaxconn of a new network namespace: no queue is longer

// What an operator does to others; the rest (sleep, signal, wait, …) only keeps time and stays in the control.
bool is_act(const scenario::Step& step) { return step.verb >= Verb::add_rules; }

bool take_out_faults(scenario::Actor& actor) {
  bool changed = actor.limits.any() || actor.cgroup.any() || actor.seccomp.has_value();
  actor.limits = {};
  actor.cgroup = {};
  actor.seccomp.reset();
  if (actor.role == scenario::Role::op) changed |= std::erase_if(actor.steps, is_act) > 0;
  return changed;
}

// Rules of a whole ruleset are faults where an expectation names them. Else, beside other faults, the ruleset is the
// ground they happen on: a translation that is to vanish has to be there.
bool names_its_rules(const scenario::Scenario& scenario) {
  std::set<std::string> typed;
  for (const auto& rule : scenario.firewall.rules) typed.insert(rule.name);
  for (const auto& [file, set] : scenario.firewall.library)
    for (const auto& rule : set.rules) typed.insert(rule.name);
  return std::any_of(scenario.expect.rules.begin(), scenario.expect.rules.end(),
                     [&](const auto& wanted) { return !typed.contains(wanted.key); });
}

}  // namespace

std::optional<scenario::Scenario> control_of(const scenario::Scenario& scenario) {
  auto control = scenario;
  auto& firewall = control.firewall;
  bool changed = std::erase_if(firewall.rules, [](const scenario::Rule& rule) { return rule.is_fault(); }) > 0;
  for (auto& actor : control.actors) changed |= take_out_faults(actor);
  if (!firewall.ruleset.empty() && (!changed || names_its_rules(scenario))) {
    firewall.ruleset.clear();
    changed = true;
  }
  if (!changed) return std::nullopt;
  // A queue too small for a storm has its own way of ending connections, whatever else was taken out.
  for (auto& actor : control.actors) actor.backlog = std::max(actor.backlog, kAmple);
  control.expect = {};
  return control;
}

}  // namespace lab::run
