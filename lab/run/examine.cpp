#include <fmt/format.h>

#include "firewall/compiler.hpp"
#include "run/run.hpp"
#include "sandbox/sandbox.hpp"

namespace lab::run {

std::vector<scenario::Mistake> examine(const scenario::Scenario& scenario) {
  std::vector<scenario::Mistake> problems;
  for (const auto& refusal : firewall::refuse(scenario.firewall.rules))
    problems.push_back({refusal.place, refusal.message, refusal.hint});
  for (const auto& [name, set] : scenario.firewall.library)
    for (const auto& refusal : firewall::refuse(set.rules))
      problems.push_back({refusal.place, refusal.message, refusal.hint});
  for (const auto& [key, value, place] : scenario.network.sysctl)
    if (const auto why = sandbox::why_not_settable(key, value); !why.empty())
      problems.push_back({place, fmt::format("[network] sysctl {}: {}", key, why), ""});
  return problems;
}

}  // namespace lab::run
