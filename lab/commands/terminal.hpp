// What the standard streams are.
#pragma once

#include "commands/commands.hpp"
#include "report/report.hpp"

namespace lab::commands {

// Of standard output: width (COLUMNS or the terminal's, else 80), colour (--color, NO_COLOR, TERM), locale.
report::TextOptions text_options(Colour colour, int verbosity);
bool is_terminal(int fd);

}  // namespace lab::commands
