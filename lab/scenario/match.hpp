// The keys that a rule matches on.
#pragma once

#include <span>

#include "scenario/keys.hpp"

namespace lab::scenario {

std::span<const Key<Match>> match_keys();  // in `not` too
// every, probability, rate, connections: which of the segments that match all else. At most one of them.
std::span<const Key<Match>> pace_keys();

}  // namespace lab::scenario
