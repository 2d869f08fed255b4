#include "report/names.hpp"

#include <fmt/format.h>

namespace lab::report {

std::string actor_name(const ActorLine& actor) { return actor.name.empty() ? actor.role : actor.name; }

std::vector<std::string> step_keys(const ActorLine& actor) {
  std::map<std::string, int> seen;
  std::vector<std::string> keys;
  keys.reserve(actor.steps.size());
  for (const auto& line : actor.steps) {
    const auto verb = line.step.substr(0, line.step.find(' '));
    const int nth = ++seen[verb];
    keys.push_back(nth == 1 ? fmt::format("{}.{}", actor_name(actor), verb)
                            : fmt::format("{}.{}#{}", actor_name(actor), verb, nth));
  }
  return keys;
}

std::string ending_of(const ActorLine& actor) {
  if (actor.stopped) return "stopped";
  if (!actor.signal.empty()) return actor.signal;
  return actor.exit ? std::to_string(*actor.exit) : std::string();
}

}  // namespace lab::report
