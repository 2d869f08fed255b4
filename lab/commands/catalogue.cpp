#include "commands/catalogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "commands/commands.hpp"

namespace lab::commands {

scenario::Catalogue catalogue() {
  std::error_code unreadable;  // without /proc only the shipped catalogue is missing
  return scenario::Catalogue::standard(std::filesystem::read_symlink("/proc/self/exe", unreadable));
}

std::filesystem::path find(const scenario::Catalogue& where, const std::string& name) {
  try {
    return where.find(name);
  } catch (const std::runtime_error& unknown) {
    throw UsageError(unknown.what());
  }
}

std::vector<scenario::Scenario> read_all(const scenario::Catalogue& where, const std::vector<std::string>& names,
                                         const scenario::Overrides& overrides) {
  std::vector<scenario::Scenario> scenarios;
  std::size_t mistakes = 0;
  const auto rules = where.rule_path();
  for (const auto& name : names) {
    auto read = scenario::read_scenario(find(where, name), rules, overrides);
    for (const auto& mistake : read.mistakes) fmt::print(stderr, "{}\n", scenario::to_string(mistake));
    mistakes += read.mistakes.size();
    scenarios.push_back(std::move(read.value));
  }
  if (mistakes > 0) throw UsageError(fmt::format("{} mistake{}; nothing was run", mistakes, mistakes == 1 ? "" : "s"));
  return scenarios;
}

scenario::Scenario read_one(const scenario::Catalogue& where, const std::string& name,
                            const scenario::Overrides& overrides) {
  return std::move(read_all(where, {name}, overrides).front());
}

bool tagged(const scenario::Catalogue::Entry& entry, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::any_of(wanted.begin(), wanted.end(), [&](const std::string& tag) {
           return std::find(entry.tags.begin(), entry.tags.end(), tag) != entry.tags.end();
         });
}

}  // namespace lab::commands
