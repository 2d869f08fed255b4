#include <algorithm>

#include "commands/parser.hpp"
#include "run/collectors.hpp"
#include "scenario/nearest.hpp"

namespace lab::commands {
namespace {

const std::map<std::string, Format> kFormats = {
    {"text", Format::text}, {"json", Format::json}, {"jsonl", Format::jsonl}};
const std::map<std::string, Colour> kColours = {
    {"auto", Colour::automatic}, {"always", Colour::always}, {"never", Colour::never}};

void add_format(CLI::App& command, Telling& how) {
  add_choice(command, "-o,--output", how.format, kFormats, "How the report is written to standard output");
  command.add_flag_callback(
      "-v,--verbose", [&how] { how.verbosity = 1; }, "Every step, program output, collectors, timing");
  command.add_flag_callback(
      "-q,--quiet", [&how] { how.verbosity = -1; }, "One line for each scenario");
  add_choice(command, "--color", how.colour, kColours, "Colour; NO_COLOR is respected");
  command.add_option("--pcap", how.pcap, "Also write what was on the wire as pcapng")->type_name("FILE|DIR");
}

void add_telling(CLI::App& command, Telling& how) {
  add_format(command, how);
  command.add_option("--evidence", how.evidence, "Also write the evidence, for lab explain")->type_name("FILE|DIR");
  command.add_option("--junit", how.junit, "Also write JUnit XML")->type_name("FILE");
  command.add_flag("--tap", how.tap, "Write TAP to standard output in place of the report");
}

// A misspelt one would leave the collector on, and nobody would notice.
void is_collector(const std::string& name) {
  const auto known = run::collector_names();
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  auto hint = name == "signals" ? "it comes with 'kernel'" : scenario::did_you_mean(name, known);
  if (hint.empty()) hint = "one of " + scenario::one_of(known);
  throw UsageError("--without: there is no collector '" + name + "' to switch off", hint);
}

void add_machine(CLI::App& command, Machine& machine, const std::string& typed) {
  machine.command = typed;
  command.add_flag("--rootless", machine.rootless, "Leave out what only root can have, although root");
  add_words(command, "--without", machine.without, "COLLECTOR", "Switch a collector off (lab doctor lists them)")
      ->each(is_collector);
}

template <class Arguments>
void add_family(CLI::App& command, Arguments& arguments) {
  command.add_flag("-4", arguments.ipv4, "IPv4, where the scenario leaves it open");
  command.add_flag("-6", arguments.ipv6, "IPv6, where the scenario leaves it open");
}

}  // namespace

void add_run(Parser& parser) {
  std::shared_ptr<RunArguments> a;
  auto& c = parser.command("run", "Run scenarios and tell why each connection ended", run, a);
  c.add_option("scenario", a->names, "Names of the catalogue, or files")->type_name("NAME|FILE");
  c.add_flag("--all", a->all, "The whole catalogue");
  add_words(c, "--tag", a->tags, "TAG", "Every scenario with this tag");
  c.add_option("-j,--jobs", a->jobs, "Sandboxes at once (default: the number of CPUs)")
      ->type_name("N")
      ->check(CLI::Range(1U, 4096U).description(""));
  c.add_option("--repeat", a->repeat, "Run each so often and tell the distribution")->type_name("N");
  c.add_flag("--until-fail", a->until_fail, "Repeat until one does not pass");
  c.add_flag("--control", a->control, "Run again without the faults: that must end clean");
  add_words(c, "--set", a->set, "KEY=VALUE", "Change a key of the scenario file: network.mtu=576");
  c.add_flag("-n,--dry-run", a->dry_run, "Say what would be built, rules included, and build nothing");
  add_family(c, *a);
  c.add_option("--timeout", a->timeout, "The whole run's deadline")->type_name("DURATION");
  add_telling(c, a->telling);
  add_machine(c, a->machine, parser.typed);
}

void add_diagnose(Parser& parser) {
  std::shared_ptr<DiagnoseArguments> a;
  auto& c = parser.command(
      "diagnose", "Run your own server and client in a sandbox and tell why their connection ended", diagnose, a);
  c.add_option("--server", a->server, "The server: a command, split as a shell would")->type_name("CMD");
  c.add_option("--client", a->client, "The client; or behind --, as it is")->type_name("CMD");
  c.add_option("command", a->command, "The client, behind --")->type_name("CMD");
  c.add_option("--port", a->port, "Where the server listens (default 8080)")
      ->type_name("N")
      ->check(CLI::Range(1U, 65535U).description(""));
  c.add_option("--ruleset", a->ruleset, "A firewall around them: nft syntax, or a dump of nft list ruleset")
      ->type_name("FILE");
  c.add_flag("--lenient", a->lenient, "Match the ruleset's foreign interface names to the sandbox's link");
  add_words(c, "--limit", a->limits, "[ROLE.]NAME=VALUE",
            "nofile=64, nproc=8, as=64MiB, fsize=1KiB, cpu=1s; of the server, where there is one");
  add_words(c, "--seccomp", a->seccomp, "[ROLE.]CALL=ACTION", "A filter: 'accept4=errno EMFILE 3+'");
  add_words(c, "--sysctl", a->sysctl, "KEY=VALUE", "A net.* sysctl of the sandbox");
  c.add_option("--save", a->save, "Write what was done as a scenario file, with the outcome as [expect]")
      ->type_name("NAME");
  add_family(c, *a);
  c.add_option("--timeout", a->timeout, "The whole run's deadline (default 10s)")->type_name("DURATION");
  add_telling(c, a->telling);
  add_machine(c, a->machine, parser.typed);
}

void add_shell(Parser& parser) {
  std::shared_ptr<ShellArguments> a;
  auto& c = parser.command("shell", "Open a shell, or run a command, in a scenario's sandbox with its rules in place",
                           shell, a);
  c.add_option("scenario", a->name, "Name or file")->required()->type_name("NAME|FILE");
  c.add_option("command", a->command, "Behind --: run this in place of a shell")->type_name("CMD");
  add_words(c, "--set", a->set, "KEY=VALUE", "Change a key of the scenario file");
  add_machine(c, a->machine, parser.typed);
}

void add_explain(Parser& parser) {
  std::shared_ptr<ExplainArguments> a;
  auto& c =
      parser.command("explain", "Give the verdict again from an evidence file, or print a cause's page", explain, a);
  c.add_option("what", a->what, "An evidence file, - for standard input, or a cause")
      ->required()
      ->type_name("FILE|CAUSE");
  add_format(c, a->telling);
}

}  // namespace lab::commands
