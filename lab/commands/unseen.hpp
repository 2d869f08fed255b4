// Files that a command names and that its sandbox does not show.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "scenario/types.hpp"

namespace lab::commands {

// Words of the actors' commands that are existing files in the caller's /tmp, where the sandbox has one of its own but
// for `working`. As they were written, each once.
std::vector<std::string> unseen_files(const scenario::Scenario& scenario, const std::filesystem::path& working);

}  // namespace lab::commands
