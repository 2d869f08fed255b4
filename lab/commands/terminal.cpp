#include "commands/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace lab::commands {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

int width() {
  if (const int columns = std::atoi(variable("COLUMNS").data()); columns > 0) return columns;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

// The order of locale(7); read here without setlocale, which opens files.
bool utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const auto value = variable(name);
    if (value.empty()) continue;
    return value.find("UTF-8") != value.npos || value.find("utf8") != value.npos || value.find("UTF8") != value.npos;
  }
  return false;
}

bool coloured(Colour colour) {
  if (colour != Colour::automatic) return colour == Colour::always;
  return is_terminal(STDOUT_FILENO) && variable("NO_COLOR").empty() && variable("TERM") != "dumb";  // no-color.org
}

}  // namespace

bool is_terminal(int fd) { return ::isatty(fd) == 1; }

report::TextOptions text_options(Colour colour, int verbosity) {
  return {.colour = coloured(colour), .unicode = utf8(), .width = std::max(60, width()), .verbosity = verbosity};
}

}  // namespace lab::commands
