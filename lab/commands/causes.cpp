// lab causes: what a verdict can name.
#include <fmt/format.h>

#include <algorithm>

#include "commands/commands.hpp"
#include "commands/output.hpp"
#include "commands/terminal.hpp"
#include "report/lines.hpp"
#include "verdict/verdict.hpp"

namespace lab::commands {

int causes(const NoArguments&) {
  auto output = Output::standard();
  const auto options = text_options(Colour::automatic, 0);
  std::size_t width = 0;
  for (const auto& cause : verdict::causes()) width = std::max(width, cause.name.size());
  for (const auto& cause : verdict::causes()) {
    output.stream() << report::paragraph(fmt::format("{:<{}}  ", cause.name, width), cause.meaning, options.width);
  }
  output.finish();
  return 0;
}

}  // namespace lab::commands
