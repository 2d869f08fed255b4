// What the sandbox's init does: the recipe of a run.
#pragma once

#include <string>

#include "run/groups.hpp"
#include "run/programs.hpp"
#include "run/run.hpp"
#include "sandbox/sandbox.hpp"
#include "scenario/types.hpp"
#include "system/descriptor.hpp"

namespace lab::run {

// Everything init inherits from lab.
struct Setup {
  const scenario::Scenario* scenario = nullptr;
  const Options* options = nullptr;
  sandbox::Plan plan;
  std::string folder;        // the scenario file's, absolute: where programs are run
  sys::Descriptor records;   // write end of the evidence pipe
  sys::Descriptor go;        // read end: lab's answers; invalid when there is none
  bool trace_calls = false;  // by ptrace: no BPF is watching the outside programs
  GroupDoors cgroups;
  const Programs* programs = nullptr;  // lab's
};

// Without pipes and groups, which the caller adds. `scenario` and `options` must outlive it.
Setup setup_for(const scenario::Scenario& scenario, const Options& options);

// Returns init's exit status. Never throws: failures travel over the pipe.
int play(Setup& setup);

}  // namespace lab::run
