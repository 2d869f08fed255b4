#include "commands/improvised.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "commands/shell_words.hpp"
#include "report/lines.hpp"
#include "scenario/reader.hpp"

namespace lab::commands {
namespace {

struct Program {
  std::string role;
  std::vector<std::string> words;
  std::vector<std::string> limits;                           // "nofile = 64"
  std::vector<std::pair<std::string, std::string>> filters;  // call, action (and when)
};

// "NAME=VALUE" in two; the value may hold more of them.
std::pair<std::string, std::string> halves(const std::string& option, const std::string& text) {
  const auto at = text.find('=');
  if (at == text.npos || at == 0 || at + 1 == text.size()) {
    throw UsageError(fmt::format("{} {}: NAME=VALUE was expected", option, text));
  }
  return {text.substr(0, at), text.substr(at + 1)};
}

bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 19 && text.find_first_not_of("0123456789") == text.npos;
}
std::string value_of(const std::string& text) { return is_number(text) ? text : toml_string(text); }

class Cast {
 public:
  Cast(const DiagnoseArguments& arguments, const std::set<std::string>& without) {
    named("--server", arguments.server);
    named("--client", arguments.client);
    if (!arguments.client.empty() && !arguments.command.empty()) {
      throw UsageError("--client and a command behind -- are both the client",
                       "words that are no option count as the command: quote what belongs to --client or --server");
    }
    add("server", shell_words(arguments.server));
    add("client", arguments.command.empty() ? shell_words(arguments.client) : arguments.command);
    if (programs_.empty()) {
      throw UsageError("diagnose what?",
                       "lab diagnose --server 'CMD' --client 'CMD' --port N, or lab diagnose --port N -- CMD");
    }
    for (const auto& limit : arguments.limits) {
      auto [name, value] = halves("--limit", limit);
      auto& program = meant(name);
      if (without.contains(program.role + ".limits." + name)) continue;
      program.limits.push_back(fmt::format("{} = {}", name, value_of(value)));
    }
    for (const auto& filter : arguments.seccomp) {
      auto [call, action] = halves("--seccomp", filter);
      action.erase(action.find_last_not_of(' ') + 1);
      auto& program = meant(call);
      if (without.contains(fmt::format("{}: {} {}", program.role, call, action))) continue;
      program.filters.emplace_back(call, action);
    }
  }
  const std::vector<Program>& programs() const { return programs_; }

 private:
  static void named(const char* option, const std::string& command) {
    if (!command.empty() && shell_words(command).empty())
      throw UsageError(fmt::format("{} '{}': there is no command in it", option, command));
  }
  void add(const char* role, std::vector<std::string> words) {
    if (!words.empty()) programs_.push_back({role, std::move(words), {}, {}});
  }
  // "client.nofile" names whom it is for; else it is for the server where there is one. The name loses its role.
  Program& meant(std::string& name) {
    for (auto& program : programs_) {
      if (!name.starts_with(program.role + ".")) continue;
      name.erase(0, program.role.size() + 1);
      return program;
    }
    if (const auto dot = name.find('.'); dot != name.npos && !name.starts_with("cgroup.")) {
      throw UsageError(fmt::format("{}: there is no program '{}' here", name, name.substr(0, dot)),
                       "server.NAME or client.NAME says whom it is for");
    }
    return programs_.front();
  }
  std::vector<Program> programs_;
};

// "errno EMFILE 3+": what stands behind the action is the rule's `when`.
std::string filter_table(const std::string& role, const std::string& call, std::string action) {
  std::string when;
  const auto of_action =
      action.starts_with("errno ") ? action.find(' ', action.find_first_not_of(' ', 5)) : action.find(' ');
  if (of_action != action.npos) {
    const auto range = action.substr(action.find_first_not_of(' ', of_action));
    if (!scenario::parse_range(range))
      throw UsageError(fmt::format("--seccomp {}={}: '{}' does not say on which calls", call, action, range),
                       "3 (the third call), 3+ (from the third on), 3..5 or 3+2 (every second from the third on)");
    when = fmt::format("when = {}\n", toml_string(range));
    action.resize(of_action);
  }
  return fmt::format("[[{}.seccomp.rule]]\nsyscall = {}\naction = {}\n{}", role, toml_string(call), toml_string(action),
                     when);
}

std::string program_table(const Program& program, const DiagnoseArguments& arguments, bool alone) {
  std::vector<std::string> words;
  for (const auto& word : program.words) words.push_back(toml_string(word));
  const auto host = arguments.ipv6 ? "::1" : "127.0.0.1";
  auto text = fmt::format("\n[{}]\n", program.role);
  if (program.role == "server") {
    text += fmt::format("listen = \"{}:{}\"\n", arguments.ipv6 ? "[::1]" : host, arguments.port);
  } else if (alone) {
    text += fmt::format("env = {{ LAB_HOST = \"{}\", LAB_PORT = \"{}\" }}\n", host, arguments.port);
  }
  text += fmt::format("run = [{}]\n", fmt::join(words, ", "));
  if (!program.limits.empty()) text += fmt::format("limits = {{ {} }}\n", fmt::join(program.limits, ", "));
  for (const auto& [call, action] : program.filters) text += filter_table(program.role, call, action);
  return text;
}

std::string network_table(const DiagnoseArguments& arguments) {
  std::string text;
  if (arguments.ipv6) text += "family = \"ipv6\"\n";
  std::vector<std::string> keys;
  for (const auto& sysctl : arguments.sysctl) {
    const auto [key, value] = halves("--sysctl", sysctl);
    keys.push_back(fmt::format("{} = {}", toml_string(key), value_of(value)));
  }
  if (!keys.empty()) text += fmt::format("sysctl = {{ {} }}\n", fmt::join(keys, ", "));
  return text.empty() ? text : "\n[network]\n" + text;
}

}  // namespace

std::string toml_string(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string improvise(const DiagnoseArguments& arguments, const std::string& ruleset,
                      const std::set<std::string>& without) {
  if (arguments.ipv4 && arguments.ipv6) throw UsageError("-4 and -6 exclude each other");
  const Cast cast(arguments, without);
  const auto& programs = cast.programs();
  std::string who;
  for (const auto& program : programs)
    who += fmt::format("{}{}", who.empty() ? "" : " and ", fmt::join(program.words, " "));
  std::replace_if(
      who.begin(), who.end(), [](unsigned char c) { return c < 0x20; }, ' ');
  auto text = fmt::format("summary = {}\n", toml_string(report::cut("Diagnosed: " + who, 100)));
  if (!arguments.timeout.empty()) text += fmt::format("timeout = {}\n", toml_string(arguments.timeout));
  text += network_table(arguments);
  if (!ruleset.empty()) text += fmt::format("\n[firewall]\nnft = {}\n", toml_string(ruleset));
  for (const auto& program : programs) text += program_table(program, arguments, programs.size() == 1);
  return text;
}

std::set<std::string> unfired(const report::Report& report) {
  std::set<std::string> names;
  for (const auto& fault : report.faults) {
    if (!fault.fired && !fault.unobserved) names.insert(fault.name);
  }
  return names;
}

}  // namespace lab::commands
