#include <sstream>

#include "report/report.hpp"

namespace lab::report {

CaseLine case_of(const Report& report) {
  const auto& from = report.timeline.provenance;
  CaseLine line{.scenario = report.scenario,
                .path = report.path,
                .summary = report.summary,
                .result = report.result,
                .headline = headline(report, {}),
                .detail = {},
                .cause = report.judgement.run.cause,
                .status = std::string(verdict::name_of(report.judgement.run.status)),
                .seconds = report.timing.total / 1000,
                .started_unix_s = (from.started_ns + from.realtime_offset_ns) / 1'000'000'000};
  if (report.result == Result::pass) return line;
  if (report.result == Result::skipped) {
    line.detail = report.reason;
    return line;
  }
  std::ostringstream text;
  write_text(text, report, {});
  line.detail = text.str();
  return line;
}

namespace {

std::vector<CaseLine> cases(const std::vector<Report>& reports) {
  std::vector<CaseLine> all;
  for (const auto& report : reports) all.push_back(case_of(report));
  return all;
}

}  // namespace

void write_junit(std::ostream& out, const std::vector<Report>& reports) { write_junit(out, cases(reports)); }
void write_tap(std::ostream& out, const std::vector<Report>& reports) { write_tap(out, cases(reports)); }

}  // namespace lab::report
