// Which rule decides about a call: the one order that the compiled filter and the notifier both follow.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "scenario/types.hpp"

namespace lab::sandbox {

// The rules that name `call`, in the file's order, and the fallback (index rules.size()) last.
std::vector<std::size_t> order_of(const scenario::Seccomp& seccomp, const std::string& call);

// rules[index].action, or the fallback.
const scenario::SeccompAction& action_of(const scenario::Seccomp& seccomp, std::size_t index);
bool conditional(const scenario::Seccomp& seccomp, std::size_t index);  // has a `when`

// The first of `order` asks the notifier: it has a `when`, or is errno or stall, which are counted and reported.
bool asks_notifier(const scenario::Seccomp& seccomp, const std::vector<std::size_t>& order);

const char* name_of(scenario::FilterAction action);  // "errno", "kill-process", …

}  // namespace lab::sandbox
