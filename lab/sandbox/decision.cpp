#include "sandbox/decision.hpp"

#include <algorithm>

namespace lab::sandbox {

using scenario::FilterAction;

std::vector<std::size_t> order_of(const scenario::Seccomp& seccomp, const std::string& call) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < seccomp.rules.size(); ++i) {
    const auto& calls = seccomp.rules[i].calls;
    if (std::find(calls.begin(), calls.end(), call) != calls.end()) order.push_back(i);
  }
  order.push_back(seccomp.rules.size());
  return order;
}

const scenario::SeccompAction& action_of(const scenario::Seccomp& seccomp, std::size_t index) {
  return index < seccomp.rules.size() ? seccomp.rules[index].action : seccomp.fallback;
}

bool conditional(const scenario::Seccomp& seccomp, std::size_t index) {
  return index < seccomp.rules.size() && seccomp.rules[index].when.has_value();
}

bool asks_notifier(const scenario::Seccomp& seccomp, const std::vector<std::size_t>& order) {
  const auto kind = action_of(seccomp, order.front()).kind;
  return conditional(seccomp, order.front()) || kind == FilterAction::fail || kind == FilterAction::stall;
}

const char* name_of(FilterAction action) {
  switch (action) {
    case FilterAction::allow:
      return "allow";
    case FilterAction::fail:
      return "errno";
    case FilterAction::stall:
      return "stall";
    case FilterAction::kill_process:
      return "kill-process";
    case FilterAction::kill_thread:
      return "kill-thread";
    case FilterAction::trap:
      return "trap";
    case FilterAction::log:
      return "log";
  }
  return "";
}

}  // namespace lab::sandbox
