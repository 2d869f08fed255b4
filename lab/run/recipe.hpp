// The parts of a run inside the sandbox, in the order in which they are made. Internal to run/.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "actors/actor.hpp"
#include "actors/operator.hpp"
#include "evidence/event.hpp"
#include "firewall/compiler.hpp"
#include "run/channel.hpp"
#include "run/inside.hpp"
#include "run/watchers.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/seccomp.hpp"

namespace lab::run {

// A scenario that cannot be run as written: exit status 2.
class Invalid : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Addresses of the run: the first server's listen address is what rules and clients are about.
scenario::Endpoint server_endpoint(const scenario::Scenario& scenario);
firewall::Flow flow_of(const scenario::Scenario& scenario);
// The namespace an actor lives in, by role; the router's for rules. On loopback topology there is one.
const sandbox::Netns& netns_of(const std::vector<sandbox::Netns>& all, scenario::Role role);
const sandbox::Netns& netns_of_rules(const std::vector<sandbox::Netns>& all);

}  // namespace lab::run
