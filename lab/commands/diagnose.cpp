// lab diagnose: the user's own programs in a sandbox, and why their connection ended.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "commands/foreign.hpp"
#include "commands/improvised.hpp"
#include "commands/newfile.hpp"
#include "commands/output.hpp"
#include "commands/signals.hpp"
#include "commands/teller.hpp"
#include "commands/unseen.hpp"
#include "report/lines.hpp"
#include "report/names.hpp"
#include "run/run.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::commands {
namespace {

using report::Report;
using report::Result;

std::string text_of(const std::string& file) {
  try {
    return sys::read_file(file);
  } catch (const sys::KernelError& unreadable) {
    throw UsageError(unreadable.what());
  }
}

// Names that the sandbox lacks are told; a ruleset that can't be loaded for them needs --lenient.
std::string ruleset_text(const DiagnoseArguments& arguments) {
  if (arguments.ruleset.empty()) {
    if (arguments.lenient) throw UsageError("--lenient is about the interfaces of a --ruleset, and there is none");
    return {};
  }
  const auto text = text_of(arguments.ruleset);
  const auto foreign = foreign_names(text);
  bool fatal = false;
  for (const auto& name : foreign) {
    fatal = fatal || name.fatal;
    fmt::print(stderr, "{}:{}: interface '{}' is not in the sandbox{}\n", arguments.ruleset, name.line, name.name,
               arguments.lenient ? ": matched to lo"
               : name.fatal      ? ""
                                 : ": this never matches");
  }
  if (!arguments.lenient) {
    if (fatal)
      throw UsageError(fmt::format("{} can't be loaded here", arguments.ruleset),
                       "--lenient matches its interfaces to the sandbox's");
    return text;
  }
  auto adapted = match_to_sandbox(text);
  if (adapted.hidden > 0) {
    fmt::print(stderr, "{}: {} accepted what comes by lo, and now matches nothing: all traffic here is on lo\n",
               arguments.ruleset, adapted.hidden == 1 ? "1 rule" : fmt::format("{} rules", adapted.hidden));
  }
  if (adapted.untranslated > 0) {
    fmt::print(stderr, "{}: {} translated what leaves by another link, and now matches nothing\n", arguments.ruleset,
               adapted.untranslated == 1 ? "1 rule" : fmt::format("{} rules", adapted.untranslated));
  }
  return std::move(adapted.text);
}

// The text is the lab's own: a mistake in it is the command line's, and its place would tell nothing.
scenario::Scenario read(const DiagnoseArguments& arguments, const std::string& text) {
  auto read =
      scenario::parse_scenario(text, std::filesystem::current_path() / "diagnose.toml", catalogue().rule_path());
  if (!read.ok()) {
    const auto& first = read.mistakes.front();
    for (std::size_t i = 1; i < read.mistakes.size(); ++i) fmt::print(stderr, "lab: {}\n", read.mistakes[i].message);
    throw UsageError(first.message, first.hint);
  }
  auto& scenario = read.value;
  for (const auto& problem : run::examine(scenario)) throw UsageError(problem.message, problem.hint);
  scenario.path.clear();
  if (!arguments.ruleset.empty()) {
    scenario.firewall.ruleset_file = arguments.ruleset;
    scenario.firewall.ruleset_line = 1;
  }
  return std::move(scenario);
}

void tell_unseen(const scenario::Scenario& scenario) {
  std::error_code gone;
  const auto working = std::filesystem::current_path(gone);
  for (const auto& file : unseen_files(scenario, gone ? "/" : working))
    fmt::print(stderr, "{}: not to be seen in the sandbox, whose /tmp is its own: start lab in the file's folder\n",
               file);
}

// Nothing when it was interrupted before the programs had their turn.
std::optional<Report> run_it(const std::vector<scenario::Scenario>& one, const DiagnoseArguments& arguments) {
  std::optional<Report> report;
  const run::Batch batch{.scenarios = &one,
                         .done =
                             [&](std::size_t, Report&& landed) {
                               report = std::move(landed);
                               return true;
                             },
                         .progress = {}};
  const run::Options options{.rootless = arguments.machine.rootless,
                             .without = arguments.machine.without,
                             .keep_frames = !arguments.telling.pcap.empty(),
                             .command = arguments.machine.command};
  catch_interrupts();
  run::run_many(batch, options, interrupted());
  if (!report) return report;
  report->bare = true;
  // What never fired is told; it is the programs that were asked about, not the faults.
  if (report->result == Result::fault_not_fired || report->result == Result::fail) report->result = Result::pass;
  return report;
}

void write_outputs(std::ostream& out, const Report& report) {
  for (const auto& actor : report.actors) {
    std::string_view text = actor.output;
    while (!text.empty()) {
      const auto line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      out << fmt::format("{} {}\n", report::actor_name(actor), report::printable(line));
    }
  }
}

void save(const DiagnoseArguments& arguments, const std::string& ruleset, const Report& report) {
  if (arguments.save.empty()) return;
  const auto idle = unfired(report);
  for (const auto& name : idle) fmt::print(stderr, "{}: never fired, and is left out\n", name);
  const auto file = place_for(arguments.save);
  write_new(file, improvise(arguments, ruleset, idle) + expectations_of(report));
  if (report.result == Result::timeout)
    fmt::print(stderr, "{}: this run did not end by itself, and lab run will not let it pass: see its [expect]\n",
               file.string());
  fmt::print(stderr, "wrote {}; try: lab run {}\n", file.string(), file.string());
}

}  // namespace

int diagnose(const DiagnoseArguments& arguments) {
  if (!arguments.save.empty()) must_be_new(place_for(arguments.save));
  const auto ruleset = ruleset_text(arguments);
  const std::vector<scenario::Scenario> one{read(arguments, improvise(arguments, ruleset))};
  tell_unseen(one.front());
  Teller teller(arguments.telling, 1);
  const auto landed = run_it(one, arguments);
  if (!landed) return 128 + interrupt_signal();
  const auto& report = *landed;
  if (arguments.telling.format == Format::text && !arguments.telling.tap && arguments.telling.verbosity >= 0) {
    auto output = Output::standard();
    write_outputs(output.stream(), report);
    output.finish();
  }
  teller.tell(report);
  teller.finish();
  save(arguments, ruleset, report);
  return interrupt_signal() ? 128 + interrupt_signal() : teller.status();
}

}  // namespace lab::commands
