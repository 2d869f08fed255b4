// [firewall]
#pragma once

#include "scenario/keys.hpp"

namespace lab::scenario {

// `name`: the scenario's, for inline rules that have none of their own.
void read_firewall(Reading& reading, const Node& node, const std::string& name, Firewall& firewall);
std::span<const Property> firewall_properties();

}  // namespace lab::scenario
