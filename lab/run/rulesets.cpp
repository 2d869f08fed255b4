#include "run/rulesets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "run/recipe.hpp"
#include "system/error.hpp"

namespace lab::run {

Rulesets::Rulesets(const scenario::Scenario& scenario, const std::vector<sandbox::Netns>& namespaces)
    : flow_(flow_of(scenario)), netns_(netns_of_rules(namespaces)) {
  const auto& firewall = scenario.firewall;
  if (!firewall.ruleset.empty()) load(firewall.ruleset, firewall.ruleset_file, firewall.ruleset_line);
  const bool later = std::any_of(firewall.library.begin(), firewall.library.end(),
                                 [](const auto& set) { return !set.second.whole.empty(); });
  if (!firewall.ruleset.empty() || later)
    sandbox::inside(netns_, [&] { tracing_ = std::make_unique<firewall::Tracing>(later); });
  if (!firewall.rules.empty()) add(firewall.rules);
}

void Rulesets::load(const std::string& ruleset, const std::string& file, std::uint32_t line) {
  firewall::Loaded loaded;
  sandbox::inside(netns_, [&] { loaded = firewall::load(ruleset, flow_, file, line); });
  if (!loaded.ok) throw Invalid(loaded.messages);
}

firewall::Ruleset& Rulesets::typed() {
  if (!typed_) sandbox::inside(netns_, [&] { typed_ = std::make_unique<firewall::Ruleset>(flow_.family, flow_); });
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

void Rulesets::hurry() {
  if (typed_) typed_->hurry();
}

std::string Rulesets::left_out() const {
  const auto account = tracing_ ? tracing_->account() : firewall::Tracing::Account{};
  return account.skipped ? fmt::format("{} segments were not traced, to stay below {} a second", account.skipped,
                                       firewall::Tracing::kRate)
                         : "";
}

std::vector<firewall::Held> Rulesets::held() const { return typed_ ? typed_->held() : std::vector<firewall::Held>{}; }

}  // namespace lab::run
