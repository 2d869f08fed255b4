// Values of [expect]: one outcome, any of several, or how often each is seen.
#pragma once

#include <optional>
#include <string>

#include "scenario/reading.hpp"

namespace lab::scenario {

// What a single outcome may be there: its normal form, or nothing and a mistake.
using ReadOutcome = std::optional<std::string> (*)(Reading&, const Node&);

std::optional<std::string> step_outcome(Reading& reading, const Node& node);     // of a step
std::optional<std::string> exit_outcome(Reading& reading, const Node& node);     // of a process: 0, "SIGKILL"
std::optional<std::string> closing_outcome(Reading& reading, const Node& node);  // of a wire: "client FIN", "none"

// Fills outcomes, or counts, and source.
void read_outcomes(Reading& reading, const Node& node, ReadOutcome one, Expectation& expectation);

}  // namespace lab::scenario
