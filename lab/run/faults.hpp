// Did what a scenario breaks really break something? Every fault leaves a mark.
#pragma once

#include <vector>

#include "report/report.hpp"
#include "run/gathered.hpp"
#include "scenario/types.hpp"

namespace lab::run {

// One line for each fault: typed drop and reject rules, rules of a whole ruleset that [expect.rules] names, limits,
// cgroup limits, seccomp rules, the operator's acts.
std::vector<report::FaultLine> faults_of(const scenario::Scenario& scenario, const Gathered& gathered);

// A fault that never fired, could have been seen, and that no explicit expectation (`NAME = 0`) decides.
bool missing(const report::FaultLine& fault, const scenario::Expect& expect);

}  // namespace lab::run
