#include "commands/batch.hpp"

#include <fmt/format.h>

#include "run/run.hpp"

namespace lab::commands {

using report::Report;
using report::Result;

namespace {

// A control must end clean: with the faults out, no connection may end badly.
std::string complaint(const Report& control) {
  const auto& run = control.judgement.run;
  if (control.result == Result::timeout) return "the control run passed its deadline";
  if (control.result != Result::pass) return fmt::format("the control run could not be made: {}", control.reason);
  if (run.cause == "none") return {};
  return fmt::format("without its faults it does not end clean either: {} ({})", run.cause,
                     verdict::name_of(run.status));
}

}  // namespace

Series::Series(std::vector<scenario::Scenario> scenarios, std::uint64_t repeat, bool controls)
    : repeat_(repeat), controls_(controls), kept_(scenarios.size()) {
  for (std::size_t i = 0; i < scenarios.size(); ++i) {
    auto control = controls ? run::control_of(scenarios[i]) : std::nullopt;
    flights_.push_back(std::move(scenarios[i]));
    what_.push_back({i, false});
    kept_[i].has_control = control.has_value();
    if (!control) continue;
    flights_.push_back(std::move(*control));
    what_.push_back({i, true});
  }
}

bool Series::take(std::size_t flight, Report&& report) {
  auto& kept = kept_[what_[flight].scenario];
  if (what_[flight].control) {
    ++kept.controls;
    if (kept.control.empty()) kept.control = complaint(report);
    return true;
  }
  const bool pass = report.result == Result::pass || report.result == Result::skipped;
  keep(kept, std::move(report));
  return pass;
}

void Series::keep(Kept& kept, Report&& report) {
  ++kept.runs;
  if (repeat_ > 1) kept.tally.add(report);
  const auto now = report::exit_status(report.result);
  if (!kept.report || report::worst(now, report::exit_status(kept.report->result)) == now) {
    // Of equally bad runs the first is kept, of good ones the last: it costs nothing and its memory is warm.
    const bool same = kept.report && kept.report->result == report.result && report.result != Result::pass;
    if (!same) kept.report = std::move(report);
  }
}

void Series::finish(Kept& kept) {
  auto& report = *kept.report;
  if (repeat_ > 1) report.distribution = kept.tally.distribution();
  if (!controls_) return;
  if (!kept.has_control) {
    report.control = "none: the cause lies in the scenario's own steps";
  } else if (kept.controls == 0) {
    report.control = "was not run";
  } else if (kept.control.empty()) {
    report.control = "without its faults it ends clean";
  } else {
    report.control = kept.control;
    if (report.result == Result::pass) {
      report.result = Result::inconclusive;
      report.reason = kept.control;
    }
  }
}

bool Series::complete(const Kept& kept) const {
  return kept.runs == repeat_ && (!kept.has_control || kept.controls == repeat_);
}

void Series::hand_on(bool unfinished, const Tell& tell) {
  for (auto& kept : kept_) {
    if (kept.told) continue;
    if (!complete(kept) && !unfinished) return;
    if (!kept.report) continue;
    finish(kept);
    tell(*kept.report);
    kept.told = true;
    kept.report.reset();
  }
}

}  // namespace lab::commands
