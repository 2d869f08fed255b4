// The command line's parts, in CLI11; included by the few files that build them.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "commands/commands.hpp"

namespace lab::commands {

struct Parser {
  Parser(int argc, const char* const* argv);

  CLI::App app{"Why did my TCP connection die right after its handshake?", "lab"};
  std::string typed;            // the whole line, for the evidence
  std::function<int()> chosen;  // set by whichever command was named

  template <class Arguments>
  CLI::App& command(const char* name, const char* text, int (*call)(const Arguments&),
                    std::shared_ptr<Arguments>& arguments) {
    arguments = std::make_shared<Arguments>();
    auto* sub = app.add_subcommand(name, text);
    sub->final_callback([this, call, arguments] { chosen = [call, arguments] { return call(*arguments); }; });
    return *sub;
  }
};

// parser_run.cpp: the commands that make reports; parser_files.cpp: those that read and write files.
void add_run(Parser& parser);
void add_diagnose(Parser& parser);
void add_shell(Parser& parser);
void add_explain(Parser& parser);
void add_list(Parser& parser);
void add_show(Parser& parser);
void add_check(Parser& parser);
void add_new(Parser& parser);
void add_causes(Parser& parser);
void add_schema(Parser& parser);
void add_doctor(Parser& parser);
void add_completion(Parser& parser);

// A repeatable option that takes one word each time.
CLI::Option* add_words(CLI::App& command, const std::string& option, std::vector<std::string>& words,
                       const std::string& type, const std::string& text);

// One of a few words. CLI11's own transformer shows the enum's numbers in --help and in its complaints.
template <class Value>
void add_choice(CLI::App& command, const std::string& option, Value& value, const std::map<std::string, Value>& choices,
                const std::string& text) {
  std::string names;
  for (const auto& [name, one] : choices) names += (names.empty() ? "" : "|") + name;
  const auto set = [&value, choices, names, option](const std::string& given) {
    const auto choice = choices.find(given);
    if (choice == choices.end()) throw UsageError(option + " " + given + ": one of " + names);
    value = choice->second;
  };
  command.add_option_function<std::string>(option, set, text)->type_name(names);
}

}  // namespace lab::commands
