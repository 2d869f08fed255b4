// From argv to the one command it asks for.
#pragma once

#include <functional>

namespace lab::commands {

// Parses; prints --help and --version itself. Returns what is left to do, nothing when all is said. Throws UsageError.
std::function<int()> parse(int argc, const char* const* argv);

}  // namespace lab::commands
