// From what was gathered to a report.
#pragma once

#include "report/report.hpp"
#include "run/gathered.hpp"
#include "scenario/types.hpp"

namespace lab::run {

// Judges (the verdict sees the timeline only), compares, counts faults, decides the result.
report::Report tell(const scenario::Scenario& scenario, Gathered&& gathered);

}  // namespace lab::run
