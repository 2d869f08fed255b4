// Rules: of a rule file, or [[firewall.rule]].
#pragma once

#include <string>

#include "scenario/keys.hpp"

namespace lab::scenario {

inline constexpr Shape kRuleList{.what = "an array of tables", .kinds = Node::array};

// `rule` arrays. Rules without a name are called `base`, numbered from the second on.
void read_rule_list(Reading& reading, const Node& node, const std::string& base, std::vector<Rule>& rules);
std::span<const Property> rule_properties();
std::span<const Property> rule_file_properties();

// A rule file's text.
RuleSet read_rule_text(Reading& reading, std::string text, const std::string& path);

}  // namespace lab::scenario
