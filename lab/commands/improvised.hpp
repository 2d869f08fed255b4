// A scenario made up from a command line, as the text of a scenario file: what lab diagnose runs, and what --save
// keeps.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "report/report.hpp"

namespace lab::commands {

// `ruleset`: its text, "" for none. `without`: faults by the names that reports give them, which are left out. Throws
// UsageError for options that can't be meant.
std::string improvise(const DiagnoseArguments& arguments, const std::string& ruleset,
                      const std::set<std::string>& without = {});

// Faults that never fired: a scenario that has them would fail for that alone.
std::set<std::string> unfired(const report::Report& report);

// The outcome as [expect]: cause, exits, and what closed it. What can't be repeated is left out, and a comment says
// why.
std::string expectations_of(const report::Report& report);

// A TOML basic string.
std::string toml_string(const std::string& text);

}  // namespace lab::commands
