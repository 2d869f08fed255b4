// The text report's parts, each of which writes nothing when it has nothing to say.
#pragma once

#include <iosfwd>

#include "report/report.hpp"

namespace lab::report {

void write_ladder(std::ostream& out, const Report& report, const TextOptions& options);
void write_others(std::ostream& out, const Report& report, const TextOptions& options);  // the other connections
void write_why(std::ostream& out, const Report& report, const TextOptions& options);
void write_expectations(std::ostream& out, const Report& report, const TextOptions& options);
void write_rules(std::ostream& out, const Report& report, const TextOptions& options);
void write_faults(std::ostream& out, const Report& report, const TextOptions& options);
void write_distribution(std::ostream& out, const Report& report, const TextOptions& options);
void write_output(std::ostream& out, const Report& report, const TextOptions& options);
void write_steps(std::ostream& out, const Report& report, const TextOptions& options);
void write_collectors(std::ostream& out, const Report& report, const TextOptions& options);
void write_timing(std::ostream& out, const Report& report, const TextOptions& options);

}  // namespace lab::report
