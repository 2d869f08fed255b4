// An actor's own process, from the fork to its end.
#pragma once

#include "actors/output.hpp"
#include "actors/plan.hpp"
#include "actors/records.hpp"

namespace lab::actors {

// Everything a child needs, made before the fork.
struct Part {
  const scenario::Actor& actor;
  const Context& context;
  const Plan& plan;
  Records& records;
  const std::vector<char*>& command;  // a program's: path, then arguments
  const std::vector<char*>& environment;
  std::byte* buffer;
  const std::byte* pattern;
  int event;  // eventfd: wakes init
};

struct Casting {
  std::uint32_t first = 0, count = 1;  // instances of this process
  int output = -1, error = -1;         // its standard output and error; -1: /dev/null
  bool ahead = false;                  // it does nothing of its own before the actor is started
  bool together = false;               // starts when every instance is there
  bool close_at_end = false;           // each instance's connections, as its process's end would
};

// Never comes back and never unwinds into init's frames.
[[noreturn]] void play(const Part& part, const Casting& casting, const Prepare& prepare);

// Wakes init.
void notify(int event);

// The end of an actor's process: status 0, everything left to the kernel.
[[noreturn]] void end_of_steps();

}  // namespace lab::actors
