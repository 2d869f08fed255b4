// The text report: a sentence, a ladder, and what it rests on.
#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "report/lines.hpp"
#include "report/names.hpp"
#include "report/sections.hpp"
#include "report/style.hpp"

namespace lab::report {
namespace {

Paint paint_of(Result result) {
  switch (result) {
    case Result::pass:
      return Paint::good;
    case Result::skipped:
    case Result::inconclusive:
      return Paint::warn;
    default:
      return Paint::bad;
  }
}

bool judged(const Report& report) {
  const auto& run = report.judgement.run;
  return !run.summary.empty() || run.cause != "unknown";
}

// For a run that no verdict speaks about: how the first client's steps ended.
std::string what_happened(const Report& report) {
  const auto client =
      std::find_if(report.actors.begin(), report.actors.end(), [](const ActorLine& a) { return a.role == "client"; });
  if (client == report.actors.end()) return "the run ended";
  std::string text = actor_name(*client);
  const char* between = ": ";
  for (const auto& step : client->steps) {
    if (step.outcome == "not reached") continue;
    text += fmt::format("{}{} {}", std::exchange(between, ", "), step.step, step.outcome);
  }
  if (const auto end = ending_of(*client); client->steps.empty() && !end.empty()) text += fmt::format(": exit {}", end);
  return text;
}

std::string sentence(const Report& report) {
  const auto& run = report.judgement.run;
  if (report.bare && judged(report)) {
    const auto why = run.summary.empty() ? std::string() : ": " + run.summary;
    return run.cause + why + (report.reason.empty() ? "" : fmt::format(" ({})", report.reason));
  }
  if (!judged(report)) return report.reason.empty() ? what_happened(report) : report.reason;
  const auto verdict = fmt::format("{} ({}, {})", run.summary.empty() ? run.cause : run.summary, run.cause,
                                   verdict::name_of(run.status));
  return report.reason.empty() ? verdict : fmt::format("{}; {}", report.reason, verdict);
}

// "PASS firewall-drop:"; of a bare report its status, which is then what a reader wants first.
std::string tag(const Report& report) {
  if (report.bare && (report.result == Result::pass || report.result == Result::timeout)) {
    return std::string(verdict::name_of(report.judgement.run.status));
  }
  std::string name(name_of(report.result));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? char(c - 32) : c; });
  return name;
}

std::string told(const Report& report) {
  return report.bare ? sentence(report) : fmt::format("{}: {}", report.scenario, sentence(report));
}

// libnftables' words come with the line they are about and a mark below the column: those lines stay as they are.
std::pair<std::string_view, std::string_view> head_and_excerpt(std::string_view text) {
  const auto end = text.find('\n');
  return {text.substr(0, end), end == text.npos ? "" : text.substr(end + 1)};
}

void write_excerpt(std::ostream& out, std::string_view excerpt) {
  while (!excerpt.empty()) {
    const auto [line, rest] = head_and_excerpt(excerpt);
    out << printable(line) << '\n';
    excerpt = rest;
  }
}

void write_headline(std::ostream& out, const Report& report, const TextOptions& options) {
  const auto text = told(report);
  const auto [head, excerpt] = head_and_excerpt(text);
  const auto lines = wrap(fmt::format("{} {}", tag(report), spoken(options, head)), options.width);
  const auto first = tag(report).size();
  out << paint(options, paint_of(report.result), lines[0].substr(0, first))
      << paint(options, Paint::strong, lines[0].substr(first)) << '\n';
  for (std::size_t i = 1; i < lines.size(); ++i) out << paint(options, Paint::strong, lines[i]) << '\n';
  write_excerpt(out, excerpt);
}

}  // namespace

std::string headline(const Report& report, const TextOptions& options) {
  const auto text = told(report);
  return fmt::format("{} {}", paint(options, paint_of(report.result), tag(report)),
                     spoken(options, head_and_excerpt(text).first));
}

void write_text(std::ostream& out, const Report& report, const TextOptions& options) {
  if (options.verbosity < 0) {
    out << headline(report, options) << '\n';
    return;
  }
  write_headline(out, report, options);
  write_ladder(out, report, options);
  write_others(out, report, options);
  write_why(out, report, options);
  write_expectations(out, report, options);
  write_rules(out, report, options);
  write_faults(out, report, options);
  write_distribution(out, report, options);
  // A bare report's reader has seen it already.
  const bool failed = report.result != Result::pass && report.result != Result::skipped;
  if (!report.bare && (options.verbosity > 0 || failed)) {
    write_output(out, report, options);
  }
  if (options.verbosity > 0) {
    write_steps(out, report, options);
    write_collectors(out, report, options);
    write_timing(out, report, options);
  }
}

}  // namespace lab::report
