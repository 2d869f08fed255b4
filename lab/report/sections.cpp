#include "report/sections.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <tuple>

#include "report/lines.hpp"
#include "report/names.hpp"
#include "report/style.hpp"

namespace lab::report {
namespace {

void title(std::ostream& out, const TextOptions& options, std::string_view text) {
  out << '\n' << paint(options, Paint::strong, text) << '\n';
}

template <class List, class Text>
int widest(const List& list, int at_most, Text text) {
  int width = 0;
  for (const auto& item : list) width = std::max(width, cells(text(item)));
  return std::min(width, at_most);
}

std::string plural(std::uint64_t n, std::string_view one) { return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s"); }

}  // namespace

void write_why(std::ostream& out, const Report& report, const TextOptions& options) {
  const auto& run = report.judgement.run;
  if (!run.because.empty()) title(out, options, "Why");
  const int source = widest(run.because, 12, [](const auto& b) { return b.source; });
  for (const auto& b : run.because) {
    out << paragraph("  " + pad_right(b.source, source) + "  ", spoken(options, b.text), options.width);
  }
  if (!run.ruled_out.empty()) title(out, options, "Ruled out");
  const int cause = widest(run.ruled_out, 28, [](const auto& r) { return r.cause; });
  for (const auto& r : run.ruled_out) {
    out << paragraph("  " + pad_right(r.cause, cause) + "  ", spoken(options, r.because), options.width);
  }
  if (!run.next.empty()) title(out, options, "What to do next");
  for (const auto& text : run.next) out << paragraph("  - ", spoken(options, text), options.width);
}

void write_expectations(std::ostream& out, const Report& report, const TextOptions& options) {
  if (report.expectations.empty()) return;
  title(out, options, "Expected, and what was");
  const int room = std::max(12, (options.width - 7) / 3);
  const int key = widest(report.expectations, room, [](const auto& e) { return e.key; });
  const int expected = widest(report.expectations, room, [](const auto& e) { return e.expected; });
  for (const auto& e : report.expectations) {
    const auto mark = std::string(e.held ? glyphs(options).good : glyphs(options).bad);
    // What is too long for its column is given lines of its own rather than cut: it is what a reader must compare.
    const auto left = "  " + pad_right(mark, 2) + " " + pad_right(printable(e.key), key) + "  ";
    std::string text;
    if (cells(e.key) <= key && cells(e.expected) <= expected) {
      text = paragraph(left + pad_right(printable(e.expected), expected) + "  ", printable(e.actual), options.width);
    } else {
      text = paragraph(left, "expected " + printable(e.expected) + ", was " + printable(e.actual), options.width);
    }
    out << (e.held ? text : paint(options, Paint::bad, text.substr(0, text.size() - 1)) + "\n");
  }
}

void write_rules(std::ostream& out, const Report& report, const TextOptions& options) {
  if (report.rules.empty()) return;
  title(out, options, "Rules");
  const int name = widest(report.rules, 32, [](const auto& r) { return r.name; });
  for (const auto& r : report.rules) {
    out << fmt::format("  {}  {}, {}\n", pad_right(printable(r.name), name), plural(r.packets, "packet"),
                       plural(r.bytes, "byte"));
    if (!r.text.empty()) out << paint(options, Paint::dim, paragraph("    ", printable(r.text), options.width));
  }
}

void write_faults(std::ostream& out, const Report& report, const TextOptions& options) {
  for (const auto& f : report.faults) {
    if (f.fired) continue;
    const auto text = f.unobserved ? "no running source could have seen whether it fired: unobserved" : "never fired";
    out << paint(options, f.unobserved ? Paint::warn : Paint::bad,
                 paragraph("", fmt::format("The fault {} ({}): {}", printable(f.name), f.kind, text), options.width));
  }
  if (!report.control.empty()) out << paragraph("Control: ", spoken(options, report.control), options.width);
  for (const auto& note : report.notes) out << paragraph("Note: ", spoken(options, note), options.width);
}

void write_others(std::ostream& out, const Report& report, const TextOptions& options) {
  const auto& all = report.judgement.connections;
  if (all.size() < 2) return;
  using Kind = std::tuple<std::string, std::string, std::string, std::string>;
  std::map<Kind, std::uint64_t> counts;
  for (const auto& c : all) {
    ++counts[{c.verdict.cause, std::string(verdict::name_of(c.verdict.status)), c.by, c.closes}];
  }
  std::vector<std::pair<Kind, std::uint64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  title(out, options, fmt::format("All {} connections", all.size()));
  out << fmt::format("  {:>6}  {:<30} {:<10} {:<10} {}\n", "count", "cause", "status", "by", "closes");
  for (const auto& [kind, count] : sorted) {
    const auto& [cause, status, by, closes] = kind;
    out << fmt::format("  {:>6}  {:<30} {:<10} {:<10} {}\n", count, cause, status, cut(by, 10), closes);
  }
}

void write_distribution(std::ostream& out, const Report& report, const TextOptions& options) {
  if (!report.distribution) return;
  title(out, options, fmt::format("Over {}, with 95 % intervals", plural(report.distribution->runs, "run")));
  const auto table = [&](const std::vector<Distribution::Line>& lines) {
    for (const auto& l : lines) {
      out << fmt::format("  {:>7}  {:>6.1f} %  {:>5.1f} to {:>5.1f} %  {}\n", l.count, l.share * 100, l.low * 100,
                         l.high * 100, cut(printable(l.what), std::max(20, options.width - 38)));
    }
  };
  table(report.distribution->results);
  table(report.distribution->causes);
  table(report.distribution->outcomes);
}

void write_output(std::ostream& out, const Report& report, const TextOptions& options) {
  for (const auto& actor : report.actors) {
    if (actor.output.empty()) continue;
    title(out, options, fmt::format("What {} wrote", actor_name(actor)));
    std::string_view text = actor.output;
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      out << "  " << printable(line) << '\n';
    }
  }
}

void write_steps(std::ostream& out, const Report& report, const TextOptions& options) {
  if (report.actors.empty()) return;
  title(out, options, "Steps (ms since the run's start)");
  for (const auto& actor : report.actors) {
    const auto end = ending_of(actor);
    out << fmt::format("  {}{}{}\n", actor_name(actor), actor.instance ? fmt::format(" {}", actor.instance) : "",
                       end.empty() ? "" : ": exit " + end);
    for (const auto& s : actor.steps) {
      const auto time = [](std::int64_t t) {
        return t ? fmt::format("{:9.3f}", static_cast<double>(t) / 1e6) : fmt::format("{:>9}", "-");
      };
      out << paragraph(fmt::format("    {} {}  ", time(s.start_ns), time(s.end_ns)),
                       printable(s.step) + ": " + s.outcome, options.width);
    }
  }
}

void write_collectors(std::ostream& out, const Report& report, const TextOptions& options) {
  const auto& all = report.timeline.provenance.collectors;
  if (!all.empty()) title(out, options, "Collectors");
  for (const auto& c : all) {
    const auto state = c.on ? fmt::format("{} events{}", c.events, c.lost ? fmt::format(", {} lost", c.lost) : "")
                            : std::string("off");
    out << paragraph(fmt::format("  {:<11} ", c.name), state + (c.why.empty() ? "" : ": " + printable(c.why)),
                     options.width);
  }
  if (!report.counters.empty()) title(out, options, "Counters that moved");
  for (const auto& [name, change] : report.counters) out << fmt::format("  {:<32} {:+}\n", name, change);
}

void write_timing(std::ostream& out, const Report& report, const TextOptions& options) {
  const auto& t = report.timing;
  title(out, options, "Time (ms)");
  out << fmt::format("  setup {:.1f}, run {:.1f}, teardown {:.1f}, total {:.1f}\n", t.setup, t.run, t.teardown,
                     t.total);
}

}  // namespace lab::report
