// The command line, in CLI11. The one file that knows its types.
#include "commands/command_line.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "commands/commands.hpp"
#include "scenario/nearest.hpp"
#include "system/version.hpp"

namespace lab::commands {
namespace {

using Chosen = std::function<int()>;

const std::map<std::string, Format> kFormats = {
    {"text", Format::text}, {"json", Format::json}, {"jsonl", Format::jsonl}};
const std::map<std::string, Colour> kColours = {
    {"auto", Colour::automatic}, {"always", Colour::always}, {"never", Colour::never}};

// CLI11's own transformer shows the enum's numbers in --help and in its complaints.
template <class Value>
void add_choice(CLI::App& command, const std::string& option, Value& value, const std::map<std::string, Value>& choices,
                const std::string& text) {
  std::string names;
  for (const auto& [name, one] : choices) names += (names.empty() ? "" : "|") + name;
  const auto set = [&value, &choices, names, option](const std::string& given) {
    const auto choice = choices.find(given);
    if (choice == choices.end()) throw UsageError(fmt::format("{} {}: one of {}", option, given, names));
    value = choice->second;
  };
  command.add_option_function<std::string>(option, set, text)->type_name(names);
}

void add_telling(CLI::App& command, Telling& how) {
  add_choice(command, "-o,--output", how.format, kFormats, "How the report is written to standard output");
  command.add_option("--junit", how.junit, "Also write JUnit XML")->type_name("FILE");
  command.add_flag("--tap", how.tap, "Write TAP to standard output in place of the report");
  command.add_option("--pcap", how.pcap, "Also write what was on the wire as pcapng")->type_name("FILE|DIR");
  command.add_option("--evidence", how.evidence, "Also write the evidence, for lab explain")->type_name("FILE|DIR");
  command.add_flag_callback(
      "-v,--verbose", [&how] { how.verbosity = 1; }, "Every step, program output, collectors, timing");
  command.add_flag_callback(
      "-q,--quiet", [&how] { how.verbosity = -1; }, "One line for each scenario");
  add_choice(command, "--color", how.colour, kColours, "Colour; NO_COLOR is respected");
}

void add_machine(CLI::App& command, Machine& machine, const std::string& typed) {
  machine.command = typed;
  command.add_flag("--rootless", machine.rootless, "Leave out what only root can have, although root");
  command.add_option("--without", machine.without, "Switch a collector off (lab doctor lists them)")
      ->type_name("COLLECTOR")
      ->allow_extra_args(false);
}

// A repeatable option that takes one word each time.
void add_words(CLI::App& command, const std::string& option, std::vector<std::string>& words, const std::string& type,
               const std::string& text) {
  command.add_option(option, words, text)->type_name(type)->allow_extra_args(false);
}

struct Parser {
  CLI::App app{"Why did my TCP connection die right after its handshake?", "lab"};
  std::string typed;
  Chosen chosen;

  template <class Arguments>
  CLI::App& command(const char* name, const char* text, int (*call)(const Arguments&),
                    std::shared_ptr<Arguments>& arguments) {
    arguments = std::make_shared<Arguments>();
    auto* sub = app.add_subcommand(name, text);
    sub->final_callback([this, call, arguments] { chosen = [call, arguments] { return call(*arguments); }; });
    return *sub;
  }

  void add_run() {
    std::shared_ptr<RunArguments> a;
    auto& c = command("run", "Run scenarios and tell why each connection ended", run, a);
    c.add_option("scenario", a->names, "Names of the catalogue, or files")->type_name("NAME|FILE");
    c.add_flag("--all", a->all, "The whole catalogue");
    add_words(c, "--tag", a->tags, "TAG", "Every scenario with this tag");
    c.add_option("-j,--jobs", a->jobs, "Sandboxes at once (default: the number of CPUs)")->type_name("N");
    c.add_option("--repeat", a->repeat, "Run each so often and tell the distribution")->type_name("N");
    c.add_flag("--until-fail", a->until_fail, "Repeat until one does not pass");
    c.add_flag("--control", a->control, "Run again without the faults: that must end clean");
    add_words(c, "--set", a->set, "KEY=VALUE", "Change a key of the scenario file: network.mtu=576");
    c.add_flag("-n,--dry-run", a->dry_run, "Say what would be built, rules included, and build nothing");
    c.add_flag("-4", a->ipv4, "IPv4, where the scenario leaves it open");
    c.add_flag("-6", a->ipv6, "IPv6, where the scenario leaves it open");
    c.add_option("--timeout", a->timeout, "The whole run's deadline")->type_name("DURATION");
    add_telling(c, a->telling);
    add_machine(c, a->machine, typed);
  }

  void add_list() {
    std::shared_ptr<ListArguments> a;
    auto& c = command("list", "List the catalogue", list, a);
    add_words(c, "--tag", a->tags, "TAG", "Only those with this tag");
    c.add_flag("--rules", a->rules, "Rule files and rulesets instead of scenarios");
    c.add_flag("--names", a->names_only, "Names alone, one a line");
    add_choice(c, "-o,--output", a->format, kFormats, "Text, or an array of objects");
  }

  void add_show() {
    std::shared_ptr<ShowArguments> a;
    auto& c = command("show", "Print a scenario file", show, a);
    c.add_option("scenario", a->name, "Name or file")->required()->type_name("NAME|FILE");
    c.add_flag("--nft", a->nft, "Its rules, as the kernel prints them back");
  }

  void add_check() {
    std::shared_ptr<CheckArguments> a;
    auto& c = command("check", "Read scenario and rule files, run nothing, tell every mistake", check, a);
    c.add_option("file", a->files, "Files, or names of the catalogue")->required()->type_name("FILE");
  }
};

std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const auto* sub : app.get_subcommands({})) words.push_back(sub->get_name());
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

// What CLI11 did not expect, with the nearest thing it would have.
UsageError unexpected(const CLI::App& app) {
  const auto& used = app.get_subcommands();
  const CLI::App& where = used.empty() ? app : *used.front();
  auto rest = app.remaining(true);
  const auto word = rest.empty() ? std::string() : rest.front();
  const auto known = known_words(where);
  auto hint = scenario::did_you_mean(word, scenario::views(known));
  if (hint.empty()) hint = used.empty() ? "lab --help" : fmt::format("lab {} --help", where.get_name());
  const auto kind = word.starts_with("-") ? "option" : used.empty() ? "command" : "argument";
  return UsageError(fmt::format("unknown {} '{}'", kind, word), hint);
}

std::string as_typed(int argc, const char* const* argv) {
  std::string text = "lab";
  for (int i = 1; i < argc; ++i) text += fmt::format(" {}", argv[i]);
  return text;
}

}  // namespace

std::function<int()> parse(int argc, const char* const* argv) {
  Parser parser;
  auto& app = parser.app;
  parser.typed = as_typed(argc, argv);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("lab ") + kVersion);
  parser.add_run();
  parser.add_list();
  parser.add_show();
  parser.add_check();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    throw unexpected(app);
  } catch (const CLI::ParseError& said) {
    if (said.get_exit_code() == 0) {
      app.exit(said);
      return {};
    }
    const auto& used = app.get_subcommands();
    throw UsageError(said.what(), used.empty() ? "lab --help" : fmt::format("lab {} --help", used.front()->get_name()));
  }
  return parser.chosen;
}

}  // namespace lab::commands
