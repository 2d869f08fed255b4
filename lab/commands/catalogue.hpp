// The catalogue of the running program, and scenarios by name with their mistakes told.
#pragma once

#include <string>
#include <vector>

#include "scenario/catalogue.hpp"

namespace lab::commands {

scenario::Catalogue catalogue();

// Reads every name or file. Mistakes of all of them go to standard error in one go; then UsageError.
std::vector<scenario::Scenario> read_all(const scenario::Catalogue& where, const std::vector<std::string>& names,
                                         const scenario::Overrides& overrides = {});
scenario::Scenario read_one(const scenario::Catalogue& where, const std::string& name,
                            const scenario::Overrides& overrides = {});

// find() of the catalogue with its complaint as UsageError.
std::filesystem::path find(const scenario::Catalogue& where, const std::string& name);

// Has any of `wanted`; true for none wanted.
bool tagged(const scenario::Catalogue::Entry& entry, const std::vector<std::string>& wanted);

}  // namespace lab::commands
