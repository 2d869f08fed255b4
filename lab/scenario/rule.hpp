// Rules: of a rule file, or [[firewall.rule]].
#pragma once

#include <string>

#include "scenario/keys.hpp"

namespace lab::scenario {

std::span<const Property> rule_properties();
std::span<const Property> rule_file_properties();
inline constexpr Shape kRuleTable{.what = "a table", .kinds = Node::table, .table = &rule_properties};
inline constexpr Shape kRuleList{.what = "an array of tables", .kinds = Node::array, .item = &kRuleTable};

// `rule` arrays. Rules without a name are called `base`, numbered from the second on.
void read_rule_list(Reading& reading, const Node& node, const std::string& base, std::vector<Rule>& rules);

// A rule file's text.
RuleSet read_rule_text(Reading& reading, std::string text, const std::string& path);

}  // namespace lab::scenario
