// The tables inside an actor's: options, limits, cgroup.
#pragma once

#include "scenario/keys.hpp"

namespace lab::scenario {

extern const Shape kOptions, kLimits, kCgroup;
void read_options(Reading& reading, const Node& node, Actor& actor);
void read_limits(Reading& reading, const Node& node, Actor& actor);
void read_cgroup(Reading& reading, const Node& node, Actor& actor);

}  // namespace lab::scenario
