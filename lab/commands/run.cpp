// lab run: scenarios by name, file, tag or all of them; each told as soon as it and those before it have ended.
#include "run/run.hpp"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <limits>

#include "commands/batch.hpp"
#include "commands/catalogue.hpp"
#include "commands/commands.hpp"
#include "commands/progress.hpp"
#include "commands/signals.hpp"
#include "commands/teller.hpp"
#include "sandbox/privileges.hpp"

namespace lab::commands {
namespace {

std::vector<std::string> chosen(const RunArguments& arguments, const scenario::Catalogue& where) {
  auto names = arguments.names;
  if (arguments.all || !arguments.tags.empty()) {
    for (const auto& entry : where.scenarios()) {
      if (tagged(entry, arguments.tags)) names.push_back(entry.path.string());
    }
  }
  if (!names.empty()) return names;
  if (arguments.tags.empty()) throw UsageError("run what?", "lab run NAME, or lab list for the names");
  throw UsageError(fmt::format("no scenario is tagged '{}'", fmt::join(arguments.tags, "' or '")), "lab list");
}

scenario::Overrides overrides(const RunArguments& arguments) {
  if (arguments.ipv4 && arguments.ipv6) throw UsageError("-4 and -6 exclude each other");
  scenario::Overrides all{.set = arguments.set, .family = std::nullopt, .timeout = std::nullopt};
  if (arguments.ipv4) all.family = scenario::Family::ipv4;
  if (arguments.ipv6) all.family = scenario::Family::ipv6;
  if (arguments.timeout.empty()) return all;
  all.timeout = scenario::parse_duration(arguments.timeout);
  if (!all.timeout) throw UsageError(fmt::format("--timeout {}: no duration", arguments.timeout), "50ms, 2s or 1m");
  return all;
}

unsigned cpus() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<unsigned>(CPU_COUNT(&set)) : 1;
}

int dry_run(const std::vector<scenario::Scenario>& scenarios) {
  auto output = Output::standard();
  for (const auto& scenario : scenarios) output.stream() << run::describe(scenario);
  output.finish();
  return 0;
}

// Without --repeat, --until-fail goes on until something fails or somebody interrupts.
std::uint64_t repeats(const RunArguments& arguments) {
  if (arguments.repeat == 0) throw UsageError("--repeat 0: at least once");
  if (arguments.repeat) return *arguments.repeat;
  return arguments.until_fail ? std::numeric_limits<std::uint32_t>::max() : 1;
}

void fly(const RunArguments& arguments, std::vector<scenario::Scenario> scenarios, Teller& teller) {
  const auto repeat = repeats(arguments);
  Series series(std::move(scenarios), repeat, arguments.control);
  Progress progress(series.flights().size() * repeat, arguments.telling.verbosity < 0);
  const auto tell = [&](const report::Report& report) {
    progress.clear();
    teller.tell(report);
  };
  const run::Batch batch{.scenarios = &series.flights(),
                         .repeat = repeat,
                         .jobs = arguments.jobs ? arguments.jobs : cpus(),
                         .done =
                             [&](std::size_t index, report::Report&& report) {
                               const bool pass = series.take(index / repeat, std::move(report));
                               series.hand_on(false, tell);
                               return pass || !arguments.until_fail;
                             },
                         .progress =
                             [&, needy = true](std::size_t done, std::size_t running, std::size_t total) mutable {
                               progress.show(done, running);
                               if (needy && done + running == total)
                                 sandbox::keep_lasting_capabilities(), needy = false;
                             }};
  const run::Options options{.rootless = arguments.machine.rootless,
                             .without = arguments.machine.without,
                             .keep_frames = !arguments.telling.pcap.empty(),
                             .timed = arguments.telling.tells_timing(),
                             .command = arguments.machine.command};
  run::run_many(batch, options, interrupted());
  series.hand_on(true, tell);
}

}  // namespace

int run(const RunArguments& arguments) {
  const auto where = catalogue();
  auto scenarios = read_all(where, chosen(arguments, where), overrides(arguments));
  if (arguments.dry_run) return dry_run(scenarios);
  Teller teller(arguments.telling, scenarios.size());
  catch_interrupts();
  fly(arguments, std::move(scenarios), teller);
  teller.finish();
  return interrupt_signal() ? 128 + interrupt_signal() : teller.status();
}

}  // namespace lab::commands
