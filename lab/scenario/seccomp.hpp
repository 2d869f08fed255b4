// [server.seccomp]
#pragma once

#include "scenario/keys.hpp"

namespace lab::scenario {

extern const Shape kSeccomp;
void read_seccomp(Reading& reading, const Node& node, std::optional<Seccomp>& seccomp);

}  // namespace lab::scenario
