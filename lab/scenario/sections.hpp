// The top of a scenario file: what it says of itself, and where its sections are.
#pragma once

#include <vector>

#include "scenario/keys.hpp"

namespace lab::scenario {

struct Sections {
  const Node *network = nullptr, *firewall = nullptr, *expect = nullptr;
  std::vector<Role> roles;  // of `actors`, in the file's order
  std::vector<const Node*> actors;
};

Sections read_top(Reading& reading, const Node& root, Scenario& scenario);
std::span<const Property> scenario_properties();

}  // namespace lab::scenario
