// Control groups: limits that only real root can set, and the freezer. Made by the outer lab, entered and frozen from
// inside the sandbox through descriptors that it inherits (the kernel judges the right to move a process and to freeze
// a group by who opened the file). man 7 cgroups; the kernel's admin-guide/cgroup-v2.rst and cgroup-v1/.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scenario/types.hpp"

namespace lab::sandbox {

// What of a group a process inside uses: numbers of descriptors that the Cgroup owns, for Plan::keep.
struct CgroupDoors {
  std::vector<int> entrances;  // cgroup.procs of each hierarchy
  int freezer = -1;            // cgroup.freeze, or freezer.state of version 1
  int events = -1;             // cgroup.events; -1 in version 1
  int memory = -1, oom = -1;   // memory.failcnt and memory.oom_control; version 2 has both in memory.events
  int pids = -1, cpu = -1;     // pids.events, cpu.stat
  int folder = -1;             // for a program
  std::vector<int> all() const;
};

// How often the group met its limits.
struct CgroupHits {
  std::uint64_t memory = 0;     // allocations that met the memory limit (the kernel reclaims first: no harm by itself)
  std::uint64_t oom_kills = 0;  // processes killed for it
  std::uint64_t pids = 0;       // forks and threads refused
  std::uint64_t throttled = 0;  // periods of 100 ms in which the group's share of CPU time was used up
};

CgroupHits hits(const CgroupDoors& doors);

// Moves the calling process and what it forks later into the group.
void enter(const CgroupDoors& doors);
// Stops or resumes every process of the group; comes back when it is so. A frozen process takes no time, answers no
// signal but SIGKILL (version 1: none at all) and keeps its sockets. Throws KernelError.
void freeze(const CgroupDoors& doors, bool frozen);

// Owner of one actor's group. Destroy it when the sandbox is gone: the group is removed by a small process that waits
// for the end of this object or of lab, whichever comes first, so that `kill -9` leaves no group (and nothing frozen)
// behind.
class Cgroup {
 public:
  // `label` names the actor; the group is "lab-PID-N-LABEL", beneath lab's own group (version 1) or beneath the nearest
  // group above it that hands out the controllers (version 2). Groups of others are not changed. Throws Unavailable
  // without root or without a controller, with the reason and the fix. `program`: one that BPF programs can be attached
  // to, which takes version 2.
  Cgroup(const std::string& label, const scenario::Cgroup& limits, bool freezer = false, bool program = false);
  Cgroup(Cgroup&&) noexcept;
  ~Cgroup();

  CgroupDoors doors() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Why this machine can't have such a group: "" when it can. For doctor and check time.
std::string why_no_cgroup(const scenario::Cgroup& limits, bool freezer);

}  // namespace lab::sandbox
