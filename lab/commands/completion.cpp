#include "commands/completion.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "commands/commands.hpp"
#include "commands/output.hpp"

namespace lab::commands {
namespace {

// What a word can be completed to: fixed words, names asked of lab, or files.
bool takes_names(const std::string& value) { return value.find("NAME|FILE") != value.npos; }
bool takes_files(const std::string& value) {
  return value.find("FILE") != value.npos || value.find("DIR") != value.npos;
}
bool is_choice(const std::string& value) {
  return value.find('|') != value.npos && value.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") == value.npos;
}

std::string words_of(std::string choice) {
  for (auto& c : choice) c = c == '|' ? ' ' : c;
  return choice;
}

std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

constexpr const char* kBash = R"SH(# bash completion of lab: source <(lab completion bash)
_lab() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" command="${COMP_WORDS[1]}"
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "@COMMANDS@ --help --version" -- "$cur"))
    return
  fi
  case "$command" in
@CASES@  esac
}
complete -o filenames -F _lab lab
)SH";

constexpr const char* kZsh = R"SH(#compdef lab
# zsh completion of lab: source <(lab completion zsh)
_lab_names() {
  local -a names
  names=(${(f)"$(lab list --names 2>/dev/null)"})
  _alternative "scenarios:scenario:($names)" 'files:file:_files'
}
_lab_causes() {
  local -a names
  names=(${(f)"$(lab causes 2>/dev/null | sed -n 's|^\([a-z]*/[a-z-]*\) .*|\1|p')"})
  _alternative "causes:cause:($names)" 'files:file:_files'
}
_lab() {
  local -a commands
  commands=(
@COMMANDS@  )
  if (( CURRENT == 2 )); then
    _describe 'command' commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
@CASES@  esac
}
# Loaded by compinit as the function _lab, this is the first completion; sourced, it only makes itself known.
if [ "$funcstack[1]" = _lab ]; then _lab "$@"; else compdef _lab lab; fi
)SH";

std::string filled(std::string script, const std::string& commands, const std::string& cases) {
  script.replace(script.find("@COMMANDS@"), 10, commands);
  script.replace(script.find("@CASES@"), 7, cases);
  return script;
}

// ---- bash: one function; a table of case arms for the words behind an option that takes one.

std::string bash_arms(const CommandShape& command) {
  std::string arms;
  for (const auto& option : command.options) {
    std::string body;
    if (is_choice(option.value)) {
      body = fmt::format("COMPREPLY=($(compgen -W '{}' -- \"$cur\"))", words_of(option.value));
    } else if (takes_names(option.value)) {
      body = "COMPREPLY=($(compgen -W \"$(lab list --names 2>/dev/null)\" -- \"$cur\") $(compgen -f -- \"$cur\"))";
    } else if (takes_files(option.value)) {
      body = "COMPREPLY=($(compgen -f -- \"$cur\"))";
    } else if (!option.value.empty()) {
      body = "COMPREPLY=()";
    }
    if (!body.empty()) arms += fmt::format("        {}) {}; return ;;\n", fmt::join(option.names, "|"), body);
  }
  return arms;
}

std::string bash(const CommandShape& lab) {
  std::string commands, cases;
  for (const auto& command : lab.commands) {
    commands += (commands.empty() ? "" : " ") + command.name;
    std::string options, rest;
    for (const auto& option : command.options) {
      for (const auto& name : option.names) options += (options.empty() ? "" : " ") + name;
    }
    if (takes_names(command.positional)) {
      rest = " $(lab list --names 2>/dev/null)";
    } else if (command.name == "explain") {
      rest = " $(lab causes 2>/dev/null | sed -n 's|^\\([a-z]*/[a-z-]*\\) .*|\\1|p')";
    } else if (command.name == "completion") {
      rest = " bash zsh fish";
    }
    const bool files = takes_files(command.positional);
    cases += fmt::format(
        "    {})\n      case \"$prev\" in\n{}      esac\n      COMPREPLY=($(compgen -W \"{}{}\" -- \"$cur\"){})\n      "
        ";;\n",
        command.name, bash_arms(command), options, rest, files ? " $([[ $cur != -* ]] && compgen -f -- \"$cur\")" : "");
  }
  return filled(kBash, commands, cases);
}

// ---- zsh

// Brackets and colons end a description in _arguments.
std::string zsh_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_action(const std::string& value) {
  if (is_choice(value)) return fmt::format("({})", words_of(value));
  if (takes_names(value)) return "_lab_names";
  return takes_files(value) ? "_files" : " ";
}

std::string zsh(const CommandShape& lab) {
  std::string commands, cases;
  for (const auto& command : lab.commands) {
    commands += fmt::format("    {}\n", quoted(zsh_text(command.name) + ":" + command.text));
    cases += fmt::format("    {})\n      _arguments \\\n", command.name);
    for (const auto& option : command.options) {
      for (const auto& name : option.names) {
        const auto value =
            option.value.empty() ? "" : fmt::format(":{}:{}", zsh_text(option.value), zsh_action(option.value));
        cases += fmt::format("        {} \\\n", quoted(fmt::format("*{}[{}]{}", name, zsh_text(option.text), value)));
      }
    }
    const auto rest = command.name == "explain"      ? std::string("_lab_causes")
                      : command.name == "completion" ? std::string("(bash zsh fish)")
                                                     : zsh_action(command.positional);
    cases += fmt::format("        {}\n      ;;\n", quoted("*:" + zsh_text(command.positional) + ":" + rest));
  }
  return filled(kZsh, commands, cases);
}

// ---- fish

std::string fish(const CommandShape& lab) {
  std::string out = "# fish completion of lab: lab completion fish | source\ncomplete -c lab -f\n";
  for (const auto& command : lab.commands) {
    out += fmt::format("complete -c lab -n __fish_use_subcommand -a {} -d {}\n", command.name, quoted(command.text));
  }
  for (const auto& command : lab.commands) {
    const auto when = fmt::format("complete -c lab -n '__fish_seen_subcommand_from {}'", command.name);
    for (const auto& option : command.options) {
      out += when;
      for (const auto& name : option.names) {
        out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (is_choice(option.value)) {
        out += fmt::format(" -x -a {}", quoted(words_of(option.value)));
      } else if (takes_files(option.value)) {
        out += " -r -F";
      } else if (!option.value.empty()) {
        out += " -x";
      }
      out += fmt::format(" -d {}\n", quoted(option.text));
    }
    if (takes_names(command.positional)) out += when + " -a '(lab list --names 2>/dev/null)'\n";
    if (command.name == "explain") {
      out += when + " -a \"(lab causes 2>/dev/null | string match -r '^[a-z]+/[a-z-]+')\"\n";
    }
    if (command.name == "completion") out += when + " -a 'bash zsh fish'\n";
    if (takes_files(command.positional)) out += when + " -F\n";
  }
  return out;
}

}  // namespace

int completion(const std::string& shell, const CommandShape& lab) {
  const std::map<std::string, std::string (*)(const CommandShape&)> shells = {
      {"bash", bash}, {"zsh", zsh}, {"fish", fish}};
  const auto known = shells.find(shell);
  if (known == shells.end()) throw UsageError(fmt::format("no completion for '{}'", shell), "bash, zsh or fish");
  auto output = Output::standard();
  output.stream() << known->second(lab);
  output.finish();
  return 0;
}

}  // namespace lab::commands
