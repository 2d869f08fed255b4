// Values of [expect]: one outcome, any of several, or how often each is seen.
#pragma once

#include <optional>
#include <string>

#include "scenario/kinds.hpp"

namespace lab::scenario {

// One of them, of a step or a process.
inline constexpr Shape kOneOutcome{
    .what = "an outcome", .kinds = Node::string | Node::integer, .least = 0, .most = 255};
// Any of these, for editors.
inline constexpr Shape kOutcome{.what = "an outcome, a list of them, or how often each is seen",
                                .kinds = Node::string | Node::integer | Node::array | Node::table,
                                .item = &kOneOutcome,
                                .others = &Compared::shape};

// What a single outcome may be there: its normal form, or nothing and a mistake.
using ReadOutcome = std::optional<std::string> (*)(Reading&, const Node&);

std::optional<std::string> step_outcome(Reading& reading, const Node& node);     // of a step
std::optional<std::string> exit_outcome(Reading& reading, const Node& node);     // of a process: 0, "SIGKILL"
std::optional<std::string> closing_outcome(Reading& reading, const Node& node);  // of a wire: "client FIN", "none"

// Fills outcomes, or counts, and source.
void read_outcomes(Reading& reading, const Node& node, ReadOutcome one, Expectation& expectation);

}  // namespace lab::scenario
