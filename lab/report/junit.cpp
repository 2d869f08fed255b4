// JUnit XML. No standard defines it; this is what both Apache Ant's schema and the stricter of its successors accept:
// properties, cases, system-out and system-err in that order, counts and a timestamp without zone on the suite.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <ostream>

#include "report/lines.hpp"
#include "report/report.hpp"

namespace lab::report {
namespace {

// XML 1.0 has no way to write most control characters, nor U+FFFE and U+FFFF: they go as \xNN.
std::string escape(std::string_view text) {
  std::string out;
  while (true) {
    const auto line = text.substr(0, text.find('\n'));
    for (const char c : printable(line)) {
      switch (c) {
        case '&':
          out += "&amp;";
          break;
        case '<':
          out += "&lt;";
          break;
        case '>':
          out += "&gt;";
          break;
        case '"':
          out += "&quot;";
          break;
        default:
          out += c;
      }
    }
    if (line.size() == text.size()) return out;
    out += '\n';
    text.remove_prefix(line.size() + 1);
  }
}

std::string timestamp(std::int64_t unix_s) {
  const std::time_t at = unix_s;
  std::tm parts{};
  gmtime_r(&at, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  return text.data();
}

std::string host() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 && name[0] ? escape(name.data()) : "localhost";
}

bool is_error(Result r) { return r == Result::error || r == Result::invalid; }
bool is_failure(Result r) { return r != Result::pass && r != Result::skipped && !is_error(r); }

void write_case(std::ostream& out, const CaseLine& c) {
  out << fmt::format("    <testcase name=\"{}\" classname=\"lab.scenario\" time=\"{:.3f}\"", escape(c.scenario),
                     c.seconds);
  if (c.result == Result::pass) {
    out << "/>\n";
    return;
  }
  out << ">\n";
  if (c.result == Result::skipped) {
    out << fmt::format("      <skipped message=\"{}\"/>\n", escape(c.detail));
  } else {
    const auto* element = is_error(c.result) ? "error" : "failure";
    out << fmt::format("      <{0} type=\"{1}\" message=\"{2}\">{3}</{0}>\n", element, name_of(c.result),
                       escape(c.headline), escape(c.detail));
  }
  out << "    </testcase>\n";
}

}  // namespace

void write_junit(std::ostream& out, const std::vector<CaseLine>& cases) {
  const auto count = [&](auto which) { return std::count_if(cases.begin(), cases.end(), which); };
  double seconds = 0;
  std::int64_t began = cases.empty() ? 0 : cases.front().started_unix_s;
  for (const auto& c : cases) {
    seconds += c.seconds;
    began = std::min(began, c.started_unix_s);
  }
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      << fmt::format(
             "  <testsuite id=\"0\" package=\"lab\" name=\"lab\" timestamp=\"{}\" hostname=\"{}\" tests=\"{}\" "
             "failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3f}\">\n",
             timestamp(began), host(), cases.size(), count([](const CaseLine& c) { return is_failure(c.result); }),
             count([](const CaseLine& c) { return is_error(c.result); }),
             count([](const CaseLine& c) { return c.result == Result::skipped; }), seconds)
      << "    <properties>\n";
  for (const auto& c : cases) {
    out << fmt::format("      <property name=\"{}\" value=\"{} {}\"/>\n", escape(c.scenario), escape(c.cause),
                       c.status);
  }
  out << "    </properties>\n";
  for (const auto& c : cases) write_case(out, c);
  out << "    <system-out/>\n    <system-err/>\n  </testsuite>\n</testsuites>\n";
}

}  // namespace lab::report
