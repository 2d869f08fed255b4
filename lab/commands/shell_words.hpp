// Words as a shell splits them: blanks, '…', "…" and backslash. Nothing is expanded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lab::commands {

// Throws UsageError for a quote that is not closed, or a backslash at the end.
std::vector<std::string> shell_words(std::string_view text);

}  // namespace lab::commands
