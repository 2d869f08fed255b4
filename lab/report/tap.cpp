// TAP. Version 13 is what every reader knows; nothing here means something else in version 14 (testanything.org).
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "report/lines.hpp"
#include "report/report.hpp"

namespace lab::report {
namespace {

// A '#' would begin a directive, and a backslash escapes it.
std::string description(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '#' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// A JSON string is a YAML one (YAML 1.2, chapter 5.7 and 7.3.1).
std::string yaml(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

void write_block(std::ostream& out, const CaseLine& c) {
  out << "  ---\n  result: " << name_of(c.result) << "\n  cause: " << yaml(c.cause) << "\n  status: " << c.status
      << "\n  message: " << yaml(c.headline) << "\n  duration_ms: " << fmt::format("{:.3f}", c.seconds * 1000) << '\n';
  if (c.result != Result::pass && !c.detail.empty()) {
    out << "  detail: |\n";
    std::string_view text = c.detail;
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      out << "    " << printable(line) << '\n';  // an empty line too: some readers take it for the block's end
    }
  }
  out << "  ...\n";
}

}  // namespace

void write_tap(std::ostream& out, const std::vector<CaseLine>& cases) {
  out << "TAP version 13\n1.." << cases.size() << '\n';
  std::size_t number = 0;
  for (const auto& c : cases) {
    const bool good = c.result == Result::pass || c.result == Result::skipped;
    out << fmt::format("{} {} - {}", good ? "ok" : "not ok", ++number, description(c.scenario));
    if (c.result == Result::skipped) out << " # SKIP " << description(c.detail);
    out << '\n';
    write_block(out, c);
  }
}

}  // namespace lab::report
