// A scenario made up from a command line, as the text of a scenario file: what lab diagnose runs, and what --save
// keeps.
#pragma once

#include <string>
#include <vector>

#include "commands/commands.hpp"
#include "report/report.hpp"

namespace lab::commands {

// `ruleset`: its text, "" for none. Throws UsageError for options that can't be meant.
std::string improvise(const DiagnoseArguments& arguments, const std::string& ruleset);

// The outcome as [expect]: cause, exits, what closed it, and 0 for each fault that never fired.
std::string expectations_of(const report::Report& report);

// A TOML basic string.
std::string toml_string(const std::string& text);

}  // namespace lab::commands
