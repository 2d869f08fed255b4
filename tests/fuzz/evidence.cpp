// An evidence file as `lab explain` takes it: read, judged, told in every form.
#include <optional>
#include <sstream>

#include "evidence/file.hpp"
#include "report/report.hpp"
#include "target.hpp"
#include "verdict/verdict.hpp"

using namespace lab;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::istringstream in{std::string(fuzz::text(data, size))};
  report::Report report;
  report.bare = true;
  std::optional<verdict::Judge> judge;
  try {
    evidence::read_file(
        in,
        [&](const evidence::Provenance& from) {
          report.timeline.provenance = from;
          judge.emplace(from);
        },
        [&](evidence::Event&& event) {
          judge->see(event);
          report.timeline.events.push_back(std::move(event));
        });
  } catch (const evidence::BadFile&) {
    return 0;
  }
  report.judgement = judge->judge();
  std::ostringstream out;
  report::write_text(out, report, {.width = 80, .verbosity = 1});
  report::write_json(out, {report});
  report::write_pcapng(out, report.timeline);
  return 0;
}
