// lab check: every mistake of scenario and rule files, in one go, and nothing is run.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "commands/output.hpp"
#include "run/run.hpp"

namespace lab::commands {
namespace {

using scenario::Mistake;

// A rule file stands in a folder named rules, or has a [[rule]] table, which no scenario has.
bool is_rule_file(const std::filesystem::path& file) {
  if (std::filesystem::absolute(file).parent_path().filename() == "rules") return true;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("[[rule]]")) return true;
  }
  return false;
}

std::vector<Mistake> mistakes_of(const std::filesystem::path& file, const scenario::RulePath& rules) {
  if (is_rule_file(file)) {
    auto read = scenario::read_rules(file);
    if (!read.ok()) return std::move(read.mistakes);
    scenario::Scenario alone;  // what the kernel would say of the rules themselves
    alone.path = file;
    alone.firewall.rules = std::move(read.value.rules);
    return run::examine(alone);
  }
  auto read = scenario::read_scenario(file, rules);
  if (!read.ok()) return std::move(read.mistakes);
  auto mistakes = run::examine(read.value);
  if (!mistakes.empty()) return mistakes;
  // libnftables' words begin with the place.
  if (auto refusal = run::refusal_of_ruleset(read.value); !refusal.empty())
    mistakes.push_back({{}, std::move(refusal), ""});
  return mistakes;
}

}  // namespace

int check(const CheckArguments& arguments) {
  const auto where = catalogue();
  auto output = Output::standard();
  bool good = true;
  for (const auto& name : arguments.files) {
    const auto file = find(where, name);
    const auto mistakes = mistakes_of(file, where.rule_path());
    for (const auto& mistake : mistakes) fmt::print(stderr, "{}\n", scenario::to_string(mistake));
    if (mistakes.empty()) output.stream() << fmt::format("{}: fine\n", file.string());
    good = good && mistakes.empty();
  }
  output.finish();
  return good ? 0 : 2;
}

}  // namespace lab::commands
