// The firewall of a run: whole rulesets first, then the typed faults, in the namespace that rules live in.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "firewall/compiler.hpp"
#include "firewall/whole.hpp"
#include "sandbox/sandbox.hpp"
#include "scenario/types.hpp"

namespace lab::run {

class Rulesets {
 public:
  // Throws Invalid with libnftables' or the kernel's words and the place in the file.
  Rulesets(const scenario::Scenario& scenario, const std::vector<sandbox::Netns>& namespaces);
  // The operator's, in the middle of a run. The rule's owner is the same netlink socket, also from a forked child.
  void add(const std::vector<scenario::Rule>& rules);
  void remove(const std::string& name);
  void load(const std::string& ruleset, const std::string& file, std::uint32_t line);
  std::vector<firewall::Held> held() const;
  // What the rule trace of a whole ruleset left out to stay cheap; "" where nothing was, or nothing is traced.
  std::string left_out() const;
  // As Ruleset::hurry.
  void hurry();

 private:
  firewall::Ruleset& typed();

  firewall::Flow flow_;
  const sandbox::Netns& netns_;
  std::unique_ptr<firewall::Tracing> tracing_;  // of a whole ruleset; typed rules trace what they match
  std::unique_ptr<firewall::Ruleset> typed_;    // made with the first typed rule
};

}  // namespace lab::run
