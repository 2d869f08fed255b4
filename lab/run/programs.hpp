// The operator's `attach`: small BPF programs that drop. Loading one, and attaching one to a control group, takes root
// outside, so that lab does it; to its own links the sandbox attaches what was loaded. Nothing is pinned: a program
// lives as long as a descriptor, a link or a group has it. man 2 bpf; man 7 rtnetlink.
#pragma once

#include <map>
#include <string>

#include "run/groups.hpp"
#include "run/run.hpp"
#include "scenario/types.hpp"
#include "system/descriptor.hpp"

namespace lab::run {

// Is there a step `attach WHAT`?
bool attaches(const scenario::Scenario& scenario, std::string_view what);

// What lab loaded for the steps of a scenario.
struct Programs {
  sys::Descriptor xdp, cgroup;  // invalid: no step wants it
};
// Throws Unavailable without root outside, or where this kernel loads no such program.
Programs load_programs(const scenario::Scenario& scenario, const Options& options);

// In the calling thread's network namespace, whose owner may attach what others have loaded: to the first link that is
// up and not loopback, else to lo. In the kernel's generic mode: veth's own needs a program at the other end, too.
// KernelError.
void attach_to_link(const sys::Descriptor& program);
// To every group: what its sockets send is dropped from now on. KernelError.
void attach_to_groups(const sys::Descriptor& program, const Groups& groups);

}  // namespace lab::run
