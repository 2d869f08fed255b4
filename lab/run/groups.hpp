// Control groups of a run: made by lab for the actors that want one, met by init.
#pragma once

#include <map>
#include <string>

#include "evidence/event.hpp"
#include "run/run.hpp"
#include "sandbox/cgroup.hpp"
#include "scenario/types.hpp"

namespace lab::run {

using Groups = std::map<std::string, sandbox::Cgroup>;  // by the actor's name
using GroupDoors = std::map<std::string, sandbox::CgroupDoors>;

// For every actor with `cgroup` limits, and for every one that an operator freezes where this machine has a freezer for
// us (else it is stopped by signals). Throws Unavailable where limits can't be set: one that is not set must not look
// like one that never bit.
Groups make_groups(const scenario::Scenario& scenario, const Options& options);
GroupDoors doors_of(const Groups& groups);

// Tells what an actor's group has met since it was last looked at.
class GroupMeter {
 public:
  GroupMeter(const scenario::Actor& actor, sandbox::CgroupDoors doors) : actor_(actor), doors_(std::move(doors)) {}
  // `pid`: the actor's main process.
  void look(int pid, evidence::Sink& sink);

 private:
  const scenario::Actor& actor_;
  sandbox::CgroupDoors doors_;
  sandbox::CgroupHits before_;
};

}  // namespace lab::run
