#include "commands/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "commands/completion.hpp"
#include "commands/parser.hpp"
#include "report/lines.hpp"
#include "scenario/nearest.hpp"
#include "system/version.hpp"

namespace lab::commands {
namespace {

constexpr const char* kStatuses =
    "Exit status: 0 everything held, 1 an expectation did not hold, 2 usage or an invalid file, 3 inconclusive, "
    "5 a fault never fired, 77 this machine lacks a feature, 124 the deadline passed, 125 the lab itself failed.";

std::vector<std::string> known_words(const CLI::App& app) {
  std::vector<std::string> words;
  for (const auto* sub : app.get_subcommands({})) words.push_back(sub->get_name());
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) words.push_back("--" + name);
  }
  return words;
}

std::string help_of(const CLI::App& app) {
  const auto& used = app.get_subcommands();
  return used.empty() ? "lab --help" : fmt::format("lab {} --help", used.front()->get_name());
}

// An option that is given is meant: an empty value is a variable that was not set, in most scripts.
void refuse_empty_values(const CLI::App& app) {
  for (const auto* sub : app.get_subcommands())
    for (const auto* option : sub->get_options())
      for (const auto& value : option->results())
        if (value.empty() && !option->get_positional())
          throw UsageError(fmt::format("{} '': an empty {}", option->get_name(), option->get_type_name()),
                           help_of(app));
}

// CLI11 does not fill lines. What stands in its second column goes on there.
std::string filled(const std::string& help) {
  constexpr int width = 80, column = 30;
  std::string text;
  for (std::size_t at = 0; at < help.size();) {
    const auto end = std::min(help.find('\n', at), help.size());
    const std::string_view line(help.data() + at, end - at);
    at = end + 1;
    const bool option = line.starts_with("  ") && line.size() > column;
    const auto first = std::string(line.substr(0, option ? column : 0));
    const auto rest = line.substr(first.size());
    text += report::cells(line) <= width ? std::string(line) + "\n" : report::paragraph(first, rest, width);
  }
  return text;
}

// What CLI11 did not expect, with the nearest thing it would have.
UsageError unexpected(const CLI::App& app) {
  const auto& used = app.get_subcommands();
  const auto rest = app.remaining(true);
  const auto word = rest.empty() ? std::string() : rest.front();
  const auto known = known_words(used.empty() ? app : *used.front());
  const auto hint = scenario::did_you_mean(word, scenario::views(known));
  const auto* kind = word.starts_with("-") ? "option" : used.empty() ? "command" : "argument";
  return UsageError(fmt::format("unknown {} '{}'", kind, word), hint.empty() ? help_of(app) : hint);
}

CommandShape shape(const CLI::App& app) {
  CommandShape all{.name = app.get_name(), .text = app.get_description()};
  for (const auto* option : app.get_options()) {
    if (option->get_positional()) {
      all.positional += (all.positional.empty() ? "" : " ") + option->get_type_name();
      continue;
    }
    OptionShape one{.text = option->get_description(),
                    .value = option->get_items_expected_max() ? option->get_type_name() : ""};
    for (const auto& name : option->get_snames()) one.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) one.names.push_back("--" + name);
    all.options.push_back(std::move(one));
  }
  for (const auto* sub : app.get_subcommands({})) all.commands.push_back(shape(*sub));
  return all;
}

}  // namespace

// Of all commands only the one that argv names is built, where it names one: the whole takes longer than a small run's
// set-up. Help, mistakes and completion need them all.
Parser::Parser(int argc, const char* const* argv) {
  typed = "lab";
  for (int i = 1; i < argc; ++i) typed += fmt::format(" {}", argv[i]);
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("lab ") + kVersion);
  app.footer(kStatuses);
  struct Known {
    std::string_view name;
    void (*add)(Parser&);
  };
  constexpr Known known[] = {{"run", add_run},         {"list", add_list},     {"show", add_show},
                             {"check", add_check},     {"new", add_new},       {"diagnose", add_diagnose},
                             {"explain", add_explain}, {"causes", add_causes}, {"shell", add_shell},
                             {"schema", add_schema},   {"doctor", add_doctor}, {"completion", add_completion}};
  const std::string_view wanted = argc > 1 ? argv[1] : "";
  const bool one = wanted != "completion" &&
                   std::any_of(std::begin(known), std::end(known), [&](const Known& k) { return k.name == wanted; });
  for (const auto& command : known) {
    if (!one || command.name == wanted) command.add(*this);
  }
}

void add_completion(Parser& parser) {
  auto shell = std::make_shared<std::string>();
  auto* c = parser.app.add_subcommand("completion", "Print a completion script: source <(lab completion bash)");
  c->add_option("shell", *shell, "bash, zsh or fish")->required()->type_name("SHELL");
  c->final_callback(
      [&parser, shell] { parser.chosen = [whole = shape(parser.app), shell] { return completion(*shell, whole); }; });
}

std::function<int()> parse(int argc, const char* const* argv) {
  Parser parser(argc, argv);
  auto& app = parser.app;
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError&) {
    throw unexpected(app);
  } catch (const CLI::ParseError& said) {
    if (said.get_exit_code() != 0) {
      if (app.get_subcommands().empty() && !app.remaining().empty()) throw unexpected(app);
      throw UsageError(said.what(), help_of(app));
    }
    if (dynamic_cast<const CLI::CallForHelp*>(&said))
      std::fputs(filled(app.help()).c_str(), stdout);
    else
      app.exit(said);  // --version
    return {};
  }
  refuse_empty_values(app);
  return parser.chosen;
}

}  // namespace lab::commands
