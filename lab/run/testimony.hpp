// What init tells of its actors, in the words of the evidence. Internal to run/.
#pragma once

#include <string>
#include <vector>

#include "actors/actor.hpp"
#include "evidence/event.hpp"
#include "sandbox/seccomp.hpp"
#include "scenario/actor.hpp"

namespace lab::run {

std::string role_name(const scenario::Actor& actor);
// As the process got them, for the culprit's name: "nofile=64", "cgroup.memory=1048576".
std::vector<std::string> limits_of(const scenario::Actor& actor);
evidence::StepDone step_done(const scenario::Actor& actor, const actors::Reported& step);
evidence::FilterAct filter_act(const sandbox::Answered& answered);

}  // namespace lab::run
