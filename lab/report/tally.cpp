#include <algorithm>

#include "report/names.hpp"
#include "report/report.hpp"

namespace lab::report {
namespace {

// A program that reads "1 bytes", "2 bytes", … must not make the memory of a long series grow.
constexpr std::size_t kDifferentOutcomes = 32;

std::vector<Distribution::Line> lines(const std::map<std::string, std::uint64_t>& counts, std::uint64_t of,
                                      const std::string& prefix = {}) {
  std::vector<Distribution::Line> all;
  for (const auto& [what, count] : counts) {
    const auto [low, high] = interval95(count, of);
    all.push_back({prefix + what, count, of ? static_cast<double>(count) / static_cast<double>(of) : 0, low, high});
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.count > b.count; });
  return all;
}

}  // namespace

void Tally::count_outcome(const std::string& key, const std::string& outcome) {
  auto& counts = outcomes_[key];
  const bool room = counts.size() < kDifferentOutcomes || counts.contains(outcome);
  ++counts[room ? outcome : std::string("other")];
}

void Tally::add(const Report& report) {
  ++runs_;
  ++results_[std::string(name_of(report.result))];
  if (const auto& run = report.judgement.run; !run.cause.empty()) ++causes_[run.cause];
  for (const auto& actor : report.actors) {
    const auto keys = step_keys(actor);
    for (std::size_t i = 0; i < actor.steps.size(); ++i) {
      count_outcome(keys[i], actor.steps[i].outcome);
    }
    if (const auto end = ending_of(actor); !end.empty()) count_outcome(actor_name(actor) + ".exit", end);
  }
  for (const auto& connection : report.judgement.connections) count_outcome("wire.closes", connection.closes);
}

Distribution Tally::distribution() const {
  Distribution all{.runs = runs_, .results = lines(results_, runs_), .causes = lines(causes_, runs_), .outcomes = {}};
  for (const auto& [key, counts] : outcomes_) {
    std::uint64_t of = 0;
    for (const auto& [outcome, count] : counts) of += count;
    for (auto& line : lines(counts, of, key + " = ")) all.outcomes.push_back(std::move(line));
  }
  return all;
}

}  // namespace lab::report
