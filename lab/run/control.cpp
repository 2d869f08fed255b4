#include <algorithm>

#include "run/run.hpp"

namespace lab::run {

using scenario::Verb;

namespace {

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

}  // namespace

std::optional<scenario::Scenario> control_of(const scenario::Scenario& scenario) {
  auto control = scenario;
  auto& firewall = control.firewall;
  bool changed = !firewall.ruleset.empty();
  firewall.ruleset.clear();
  changed |= std::erase_if(firewall.rules, [](const scenario::Rule& rule) { return rule.is_fault(); }) > 0;
  for (auto& actor : control.actors) changed |= take_out_faults(actor);
  if (!changed) return std::nullopt;
  control.expect = {};
  return control;
}

}  // namespace lab::run
