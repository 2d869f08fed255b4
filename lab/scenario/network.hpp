// [network]
#pragma once

#include "scenario/keys.hpp"
#include "scenario/names.hpp"

namespace lab::scenario {

void read_network(Reading& reading, const Node& node, Network& network);
std::span<const Property> network_properties();

// Where the lab puts the ends of a run.
std::string server_address(Topology topology, Family family);
std::string router_address(Family family);  // routed: towards the client
std::string client_address(Topology topology, Family family);
// The same place in the other family, for addresses that the lab itself gives out and the wildcard. Nothing for others.
std::optional<std::string> counterpart(std::string_view address);

}  // namespace lab::scenario
