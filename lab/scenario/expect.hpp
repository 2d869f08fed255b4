// [expect], read when everything it may name is known.
#pragma once

#include "scenario/keys.hpp"

namespace lab::scenario {

void read_expect(Reading& reading, const Node& node, Scenario& scenario);
std::span<const Property> expect_properties();

// "ok", "12 bytes", "eof", "timeout", "mismatch", an errno's name, "not reached", "stopped"
bool is_outcome(std::string_view text);

}  // namespace lab::scenario
