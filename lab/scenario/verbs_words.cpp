// Verbs by their names, and how they are written.
#include "scenario/verbs.hpp"

namespace lab::scenario {

const VerbRow* row_of(std::string_view name) {
  for (const auto& row : verb_rows()) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

std::string usage(const VerbRow& row) {
  std::string text(row.name);
  for (const auto& argument : row.arguments) {
    if (argument.takes == Takes::nothing) break;
    const std::string name(argument.name);
    text += argument.optional ? " [" + name + "]" : " " + name;
  }
  if (row.as) text += " [as=NAME]";
  if (row.timeout) text += " [timeout=D]";
  return text;
}

std::string step_pattern(unsigned roles) {
  std::string verbs;
  for (const auto& row : verb_rows()) {
    if (row.roles & roles) verbs += (verbs.empty() ? "" : "|") + std::string(row.name);
  }
  return "^ *(" + verbs + ")( |$)";
}

}  // namespace lab::scenario
