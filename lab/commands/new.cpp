// lab new: a scenario file that runs as it is, from the template or from another scenario.
#include <fcntl.h>
#include <fmt/format.h>

#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "commands/newfile.hpp"
#include "commands/output.hpp"
#include "scenario/template.hpp"
#include "system/file.hpp"

namespace lab::commands {
namespace {

namespace fs = std::filesystem;

// Programs that a scenario names beside itself go with its copy; what is there already stays as it is.
std::vector<fs::path> copy_programs(const scenario::Scenario& scenario, const fs::path& from, const fs::path& to) {
  std::vector<fs::path> copied;
  std::error_code none;
  if (fs::equivalent(from, to, none)) return copied;
  for (const auto& actor : scenario.actors) {
    for (const auto& word : actor.run) {
      const auto inside = fs::path(word).is_absolute() ? fs::path(word).lexically_relative(from) : fs::path(word);
      if (inside.empty() || inside.native().starts_with("..") || inside.is_absolute()) continue;
      if (!fs::is_regular_file(from / inside, none) || fs::exists(to / inside, none)) continue;
      create_folders(to / inside);
      write_new(to / inside, sys::read_file((from / inside).string()), fs::status(from / inside).permissions());
      copied.push_back(to / inside);
    }
  }
  return copied;
}

}  // namespace

int make_new(const NewArguments& arguments) {
  const auto file = place_for(arguments.name);
  auto output = Output::standard();
  if (arguments.from.empty()) {
    write_new(file, scenario::template_for(file.stem().string()));
  } else {
    const auto where = catalogue();
    const auto source = find(where, arguments.from);
    const auto scenario = read_one(where, arguments.from);
    write_new(file, sys::read_file(source.string()));
    for (const auto& program : copy_programs(scenario, source.parent_path(), file.parent_path())) {
      output.stream() << fmt::format("wrote {}\n", program.string());
    }
  }
  output.stream() << fmt::format("wrote {}; try: lab run {}\n", file.string(), file.string());
  output.finish();
  return 0;
}

}  // namespace lab::commands
