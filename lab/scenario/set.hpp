// --set KEY=VALUE, put into the file's tree before it is read.
#pragma once

#include <string>
#include <vector>

#include "scenario/document.hpp"

namespace lab::scenario {

// Elements of an array of tables go by their `name` or by number from 0: server.web.backlog, firewall.rule.0.every.
void apply_set(const std::string& setting, Document& document, std::vector<Mistake>& mistakes);

}  // namespace lab::scenario
