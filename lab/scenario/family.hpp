// -4 and -6: a scenario in the other address family.
#pragma once

#include "scenario/reading.hpp"

namespace lab::scenario {

// The family that a file without `network.family` speaks: IPv6 where every address it writes is one.
Family family_written(const Node& root);
// Turns every address into its counterpart. One that has none is a mistake.
void switch_family(Reading& reading, const std::vector<const Node*>& nodes, Family family, Scenario& scenario);

}  // namespace lab::scenario
