// [server], [client], [proxy], [operator]
#pragma once

#include <optional>

#include "scenario/keys.hpp"

namespace lab::scenario {

// One actor's table. `actor.role` is set before; its name may still be empty.
void read_actor(Reading& reading, const Node& node, Actor& actor);
std::span<const Property> actor_properties();

// Names that mean something else in [expect].
bool is_reserved(std::string_view name);

}  // namespace lab::scenario
