#include "scenario/types.hpp"

#include "scenario/names.hpp"
#include "scenario/verbs.hpp"

namespace lab::scenario {

std::string_view name_of(Verb verb) { return row_of(verb).name; }
std::string_view name_of(Role role) { return spelled(kRoles, role); }
std::string_view name_of(Hook hook) { return spelled(kHooks, hook); }
std::string_view name_of(Family family) { return spelled(kFamilies, family); }
std::string_view name_of(RuleAction action) { return spelled(kRuleActions, action); }

}  // namespace lab::scenario
