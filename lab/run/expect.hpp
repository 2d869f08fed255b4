// Compares what a scenario expects with what was seen, line by line.
#pragma once

#include <vector>

#include "report/report.hpp"
#include "run/gathered.hpp"
#include "scenario/types.hpp"

namespace lab::run {

// One line for each expectation, in the file's order of sections: cause, actors, wire, rules, counters.
std::vector<report::ExpectationLine> compare(const scenario::Scenario& scenario, const Gathered& gathered,
                                             const verdict::Judgement& judgement);

// "ok" accepts any number of bytes above 0 as well; a signal's name may lack its SIG.
bool accepts(const std::string& accepted, const std::string& outcome);
bool holds(const scenario::Comparison& comparison, std::int64_t value);

}  // namespace lab::run
