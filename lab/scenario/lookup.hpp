// Finds rule files and whole rulesets: in rules/ beside the scenario file, then in the catalogue's rules/ folders.
#pragma once

#include <optional>
#include <string>

#include "scenario/files.hpp"
#include "scenario/reading.hpp"

namespace lab::scenario {

// Null, and a mistake at `place`, when there is none of that name or it can't be read.
const RuleSet* rule_file(Reading& reading, const std::string& name, const Place& place);
// Is there one? Says nothing when not.
bool has_rule_file(Reading& reading, const std::string& name);
// Names for hints.
std::vector<std::string> rule_file_names(const Reading& reading);

// A whole ruleset: beside the scenario file first. `node` names it.
std::optional<Found> ruleset_file(Reading& reading, const Node& node);
// The same by a plain name, which an operator's step gives.
std::optional<Found> ruleset_file(Reading& reading, const std::string& name, const Place& place);

}  // namespace lab::scenario
