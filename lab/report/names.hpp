// What a report's lines are called: the keys that [expect] uses.
#pragma once

#include <string>
#include <vector>

#include "report/report.hpp"

namespace lab::report {

// Its own name, else its role.
std::string actor_name(const ActorLine& actor);
// One for each step: "client.recv", the second recv "client.recv#2".
std::vector<std::string> step_keys(const ActorLine& actor);
// "0", "SIGKILL", "stopped" (by the lab), "" while nothing is known.
std::string ending_of(const ActorLine& actor);

}  // namespace lab::report
