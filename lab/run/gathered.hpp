// What came out of a sandbox, sorted by who may see it: the timeline is evidence, the rest is for the report.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "evidence/event.hpp"
#include "report/report.hpp"

namespace lab::run {

// How often a part of the scenario acted, by its index there; what no running source could see is `unobserved`.
struct FaultCount {
  std::string kind;  // "rule", "limit", "seccomp", "operator", "cgroup"
  std::string name;
  std::uint64_t count = 0;
  bool unobserved = false;
};

enum class Failure {
  none,
  lab,          // the lab itself: 125
  unavailable,  // this machine lacks something: 77
  invalid,      // the scenario can't be run as written (a program that does not exist, a rule the kernel refuses): 2
};

// What ended a run's main part.
enum class RunEnd { complete, deadline, interrupted };

struct Gathered {
  evidence::Timeline timeline;  // without the operator's steps
  std::vector<evidence::StepDone> operator_steps;
  std::vector<FaultCount> seccomp;      // from the notifier, in rule order of each actor
  std::vector<report::RuleLine> rules;  // typed rules with their counters at the end, whatever collectors ran
  Failure failure = Failure::none;
  std::string reason;  // of the failure
  RunEnd end = RunEnd::complete;
  std::int64_t started_ns = 0, acting_ns = 0, ended_ns = 0;  // init began; first actor started; evidence complete
};

}  // namespace lab::run
