// Completion scripts, made from the shape of the command line itself.
#pragma once

#include <string>
#include <vector>

namespace lab::commands {

struct OptionShape {
  std::vector<std::string> names;  // "-o", "--output"
  std::string text, value;         // value: "" for a flag, "text|json" for choices, "FILE", …
};
struct CommandShape {
  std::string name, text, positional;  // positional: "NAME|FILE"
  std::vector<OptionShape> options;
  std::vector<CommandShape> commands;
};

// bash, zsh or fish; names of scenarios are asked of `lab list --names` when they are wanted.
int completion(const std::string& shell, const CommandShape& lab);

}  // namespace lab::commands
