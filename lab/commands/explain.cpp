// lab explain: the verdict from an evidence file, or a cause's page.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <optional>

#include "commands/commands.hpp"
#include "commands/excerpt.hpp"
#include "commands/output.hpp"
#include "commands/pages.hpp"
#include "commands/teller.hpp"
#include "evidence/file.hpp"
#include "scenario/nearest.hpp"
#include "system/error.hpp"
#include "verdict/verdict.hpp"

namespace lab::commands {
namespace {

using report::Report;

std::vector<std::string_view> cause_names() {
  std::vector<std::string_view> names;
  for (const auto& cause : verdict::causes()) names.push_back(cause.name);
  return names;
}

bool is_cause(const std::string& what) {
  const auto names = cause_names();
  return std::find(names.begin(), names.end(), what) != names.end();
}

std::ifstream open(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  if (in) in.peek();  // a directory can be opened and not be read
  if (in.eof()) in.clear();
  if (in) return in;
  const int error = errno;
  const auto near = scenario::did_you_mean(file, cause_names());
  throw UsageError(sys::KernelError(error, file).what(),
                   near.empty() ? "an evidence file, or a cause: lab causes" : near);
}

void read(std::istream& in, const std::string& name, const std::function<void(const evidence::Provenance&)>& provenance,
          const std::function<void(evidence::Event&&)>& event) {
  try {
    evidence::read_file(in, provenance, event);
  } catch (const evidence::BadFile& bad) {
    throw UsageError(fmt::format("{}: {}", name, bad.what()), "a file that lab run --evidence wrote");
  }
}

// A first reading for the verdict, which keeps no packets; a second, where the file can be read again, for the ladder.
Report explained(const std::string& file, bool whole) {
  const bool piped = file == "-";
  auto stored = piped ? std::ifstream() : open(file);
  std::istream& in = piped ? std::cin : stored;
  Report report;
  report.bare = true;
  std::optional<verdict::Judge> judge;
  read(
      in, file,
      [&](const evidence::Provenance& from) {
        report.timeline.provenance = from;
        report.scenario = from.scenario;
        report.zero_ns = from.started_ns;
        judge.emplace(from);
      },
      [&](evidence::Event&& event) {
        judge->see(event);
        if (whole) report.timeline.events.push_back(std::move(event));
      });
  report.judgement = judge->judge();
  if (whole || piped) return report;
  Excerpt excerpt(report::pick(report));
  auto again = open(file);
  read(
      again, file, [](const evidence::Provenance&) {}, [&](evidence::Event&& event) { excerpt.see(std::move(event)); });
  report.timeline.events = excerpt.take();
  return report;
}

}  // namespace

int explain(const ExplainArguments& arguments) {
  if (is_cause(arguments.what)) {
    auto output = Output::standard();
    output.stream() << cause_page(arguments.what);
    output.finish();
    return 0;
  }
  const auto& how = arguments.telling;
  const bool whole = how.format != Format::text || !how.pcap.empty();
  const auto report = explained(arguments.what, whole);
  Teller teller(how, 1);
  teller.tell(report);
  teller.finish();
  return 0;
}

}  // namespace lab::commands
