// One run: builds the sandbox, lets the actors act, gathers evidence, judges, compares. The only room that knows
// everybody.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "report/report.hpp"
#include "scenario/reader.hpp"
#include "scenario/types.hpp"

namespace lab::run {

struct Options {
  bool rootless = false;             // leave BPF and cgroups out although root
  std::vector<std::string> without;  // collectors switched off, by source name: "syscalls", "kernel", …
  bool control = false;              // take the faults out
  bool keep_frames = false;          // Segment::frame is filled, for a capture file
  bool alone = true;                 // no other run follows that could use the time of this one's end
  bool timed = true;                 // the report tells how long the sandbox took to go, and so waits for that
  std::string command;               // for the provenance
};

struct Outcome {
  report::Report report;
};

// Runs one scenario to its end. The lab's failures become Result::error, never an exception.
report::Report run_one(const scenario::Scenario& scenario, const Options& options);

// Many at once, `jobs` sandboxes in parallel; `done` is called as they land. Ends early when
// `interrupted` is set (by a signal handler) or `done` returns false. An interrupted run that is the only one is told,
// with what was seen so far.
struct Batch {
  const std::vector<scenario::Scenario>* scenarios = nullptr;
  std::uint64_t repeat = 1;
  unsigned jobs = 1;
  std::function<bool(std::size_t index, report::Report&& report)> done;
  std::function<void(std::size_t done, std::size_t running, std::size_t total)> progress;
};
void run_many(const Batch& batch, const Options& options, const volatile bool& interrupted);

// A copy of the scenario without its faults; nothing when its cause lies in its own steps.
std::optional<scenario::Scenario> control_of(const scenario::Scenario& scenario);

// What would be built, rules in nft syntax included (-n).
std::string describe(const scenario::Scenario& scenario);

// The scenario's rules as the kernel prints them back, loaded into a sandbox of their own (lab show --nft).
std::string kernel_rules(const scenario::Scenario& scenario);
// What libnftables or the kernel have against the scenario's whole ruleset, with the place; nothing when they take it,
// or when no sandbox can be made to ask them in.
std::string refusal_of_ruleset(const scenario::Scenario& scenario);

// An interactive shell or command in the sandbox with rules in place and the servers running. Returns its exit status.
int shell(const scenario::Scenario& scenario, const std::vector<std::string>& command, const Options& options);

// Mistakes that only the machine's libraries know: rules no kernel accepts, sysctls a namespace can't set.
std::vector<scenario::Mistake> examine(const scenario::Scenario& scenario);

}  // namespace lab::run
