// What can only be said once a whole scenario has been read: names that must meet, addresses that must differ.
#pragma once

#include "scenario/reading.hpp"

namespace lab::scenario {

// `nodes`: each actor's table, in the order of scenario.actors.
void name_actors(Reading& reading, const std::vector<const Node*>& nodes, Scenario& scenario);
void place_listeners(Reading& reading, const std::vector<const Node*>& nodes, Scenario& scenario);
// Operator steps that name rules and actors; fills firewall.library.
void resolve_operator(Reading& reading, Scenario& scenario);
// A `wait` for a name that nobody signals, when there is one that was probably meant.
void check_signals(Reading& reading, const Scenario& scenario);
void check_expected_rules(Reading& reading, const Scenario& scenario);
void check_counters(Reading& reading, const Scenario& scenario);

}  // namespace lab::scenario
