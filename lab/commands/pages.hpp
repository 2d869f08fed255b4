// Documentation that goes with the program.
#pragma once

#include <string>

namespace lab::commands {

// The page of a cause, docs/causes/LAYER-NAME.md: beside the sources of a build tree, or PREFIX/share/doc/lab/causes.
// Throws LabError that names the folders when it is in none.
std::string cause_page(const std::string& cause);

}  // namespace lab::commands
