// What can only be said once a whole scenario has been read: names that must meet, addresses that must differ.
#pragma once

#include <set>

#include "scenario/reading.hpp"

namespace lab::scenario {

// `nodes`: each actor's table, in the order of scenario.actors.
void name_actors(Reading& reading, const std::vector<const Node*>& nodes, Scenario& scenario);
void place_listeners(Reading& reading, const std::vector<const Node*>& nodes, Scenario& scenario);
// A connection that a step names has to be opened by another with as=NAME.
void check_connections(Reading& reading, const Scenario& scenario);
// Operator steps that name rules and actors; fills firewall.library, and turns a role into its actor's name.
void resolve_operator(Reading& reading, Scenario& scenario);
// A `wait` for a name that nobody signals, when there is one that was probably meant.
void check_signals(Reading& reading, const Scenario& scenario);
void check_expected_rules(Reading& reading, const Scenario& scenario);
void check_counters(Reading& reading, const Scenario& scenario);

// Of the rules in place and of those that an operator adds.
std::set<std::string_view> rule_names(const Scenario& scenario);
// The place of a plain word of a step: words that name things hold no escapes, so columns can be counted.
Place word_place(const Step& step, const std::string& word);

}  // namespace lab::scenario
