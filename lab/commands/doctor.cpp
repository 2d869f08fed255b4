// lab doctor: what this machine can do, and how to mend what it can't.
#include "run/doctor.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands/commands.hpp"
#include "commands/output.hpp"
#include "commands/terminal.hpp"
#include "report/lines.hpp"
#include "report/style.hpp"
#include "system/version.hpp"

namespace lab::commands {
namespace {

using run::Ability;
using Json = nlohmann::ordered_json;

void write_json(std::ostream& out, const std::vector<Ability>& all, bool pretty) {
  utsname kernel{};
  ::uname(&kernel);
  Json j = {{"schema", 1},
            {"version", kVersion},
            {"kernel", kernel.release},
            {"machine", kernel.machine},
            {"root", ::geteuid() == 0}};
  j["abilities"] = Json::array();
  for (const auto& a : all) {
    Json one = {{"kind", a.kind}, {"name", a.name}, {"yes", a.yes}};
    if (!a.yes) {
      one["why"] = a.why;
      one["fix"] = a.fix;
      one["loss"] = a.loss;
    }
    j["abilities"].push_back(std::move(one));
  }
  out << j.dump(pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace) << '\n';
}

void write_text(std::ostream& out, const std::vector<Ability>& all, const report::TextOptions& options) {
  const auto& marks = report::glyphs(options);
  std::string kind;
  for (const auto& a : all) {
    if (a.kind != kind) {
      out << (kind.empty() ? "" : "\n") << report::paint(options, report::Paint::strong, a.kind) << '\n';
      kind = a.kind;
    }
    const auto mark = report::pad_right(std::string(a.yes ? marks.good : marks.bad), 3);
    out << "  " << report::paint(options, a.yes ? report::Paint::good : report::Paint::bad, mark);
    out << a.name << '\n';
    if (a.yes) continue;
    out << report::paragraph("       why   ", report::printable(a.why.substr(0, a.why.find('\n'))), options.width);
    if (!a.fix.empty()) out << report::paragraph("       fix   ", report::printable(a.fix), options.width);
    out << report::paragraph("       loss  ", a.loss, options.width);
  }
}

}  // namespace

int doctor(const DoctorArguments& arguments) {
  auto all = run::examine_machine(arguments.rootless);
  const auto order = [](const Ability& a, const Ability& b) {
    constexpr std::string_view kinds[] = {"namespace", "sandbox", "netfilter", "seccomp", "collector", "root"};
    return std::find(std::begin(kinds), std::end(kinds), a.kind) <
           std::find(std::begin(kinds), std::end(kinds), b.kind);
  };
  std::stable_sort(all.begin(), all.end(), order);
  auto output = Output::standard();
  if (arguments.format == Format::text) {
    write_text(output.stream(), all, text_options(Colour::automatic, 0));
  } else {
    write_json(output.stream(), all, arguments.format == Format::json);
  }
  output.finish();
  return 0;
}

}  // namespace lab::commands
