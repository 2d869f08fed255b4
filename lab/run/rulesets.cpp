#include "run/rulesets.hpp"

#include "firewall/whole.hpp"
#include "run/recipe.hpp"
#include "system/error.hpp"

namespace lab::run {

Rulesets::Rulesets(const scenario::Scenario& scenario, const std::vector<sandbox::Netns>& namespaces)
    : flow_(flow_of(scenario)), netns_(netns_of_rules(namespaces)) {
  const auto& firewall = scenario.firewall;
  if (!firewall.ruleset.empty()) {
    firewall::Loaded loaded;
    sandbox::inside(netns_, [&] { loaded = firewall::load(firewall.ruleset, flow_, firewall.ruleset_file, firewall.ruleset_line); });
    if (!loaded.ok) throw Invalid(loaded.messages);
  }
  if (!firewall.rules.empty()) add(firewall.rules);
}

firewall::Ruleset& Rulesets::typed() {
  if (!typed_)
    sandbox::inside(netns_, [&] { typed_ = std::make_unique<firewall::Ruleset>(flow_.family, flow_); });
  return *typed_;
}

void Rulesets::add(const std::vector<scenario::Rule>& rules) {
  try {
    typed().add(rules);
  } catch (const sys::LabError& refused) {
    throw Invalid(refused.what());
  }
}

void Rulesets::remove(const std::string& name) { typed().remove(name); }

std::vector<firewall::Held> Rulesets::held() const {
  return typed_ ? typed_->held() : std::vector<firewall::Held>{};
}

}  // namespace lab::run
