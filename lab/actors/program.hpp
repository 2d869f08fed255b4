// Outside programs: how they are found, and what they get.
#pragma once

#include <string>
#include <vector>

#include "actors/actor.hpp"

namespace lab::actors {

// The path to run, then the arguments (its name first). A name without '/' is looked for in PATH (the actor's own, else
// init's) as a shell does; the path of one that is not found is "", and running it says so. A path with '/' is left
// alone: the program's working folder is the scenario's.
std::vector<std::string> command_of(const std::vector<std::string>& words, const scenario::Actor& actor,
                                    const Context& context);

// "NAME=value": init's own environment, LAB_HOST, LAB_PORT and LAB_ROLE, LAB_LISTEN (HOST:PORT) for who listens, and
// the actor's env. LAB_HOST and LAB_PORT are where a server shall listen, and where the others shall connect.
std::vector<std::string> environment_of(const scenario::Actor& actor, const Context& context);

// Both made before the fork: pointers into the strings above.
std::vector<char*> pointers_to(const std::vector<std::string>& strings);

// One execve(2); a text file without an interpreter line is /bin/sh's, as in a shell. Comes back with the errno.
// `exempt`: the start of an actor's program, which no filter of its scenario hits.
int execute(const std::vector<char*>& command, const std::vector<char*>& environment, bool exempt);

}  // namespace lab::actors
