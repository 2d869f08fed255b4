#include "scenario/lookup.hpp"

#include <algorithm>

#include "scenario/kinds.hpp"
#include "scenario/rule.hpp"

namespace lab::scenario {
namespace {

std::vector<std::filesystem::path> rule_folders(const Reading& reading) {
  std::vector<std::filesystem::path> folders{reading.folder / "rules"};
  folders.insert(folders.end(), reading.rules.begin(), reading.rules.end());
  return folders;
}

std::optional<Found> in_rule_folders(Reading& reading, const std::string& name, const Place& place) {
  for (const auto& folder : rule_folders(reading)) {
    if (auto file = file_beneath(reading, folder, name, place)) return file;
  }
  return {};
}

// Rulesets may stand beside the scenario file, too.
std::optional<Found> in_every_folder(Reading& reading, const std::string& name, const Place& place) {
  if (auto file = file_beneath(reading, reading.folder, name, place)) return file;
  return in_rule_folders(reading, name, place);
}

std::string nearest_ruleset(const Reading& reading, const std::string& name) {
  auto folders = rule_folders(reading);
  folders.insert(folders.begin(), reading.folder.empty() ? "." : reading.folder);
  const auto names = file_names(folders, ".nft", false);
  return did_you_mean(name, views(names));
}

// Mistakes of a rule file are its own: the path of the scenario's keys does not belong before them.
RuleSet read_found(Reading& reading, Found file) {
  std::string path;
  std::swap(path, reading.path);
  auto set = read_rule_text(reading, std::move(file.text), file.path);
  std::swap(path, reading.path);
  return set;
}

bool leaves_folder(const std::filesystem::path& path) {
  const auto normal = path.lexically_normal();
  return path.is_absolute() || (!normal.empty() && *normal.begin() == "..");
}

}  // namespace

std::vector<std::string> rule_file_names(const Reading& reading) {
  return file_names(rule_folders(reading), ".toml", true);
}

bool has_rule_file(Reading& reading, const std::string& name) {
  if (const auto known = reading.rule_files.find(name); known != reading.rule_files.end())
    return known->second.has_value();
  Reading quiet;
  quiet.folder = reading.folder;
  quiet.rules = reading.rules;
  return Name::good(name) && in_rule_folders(quiet, name + ".toml", {}).has_value();
}

const RuleSet* rule_file(Reading& reading, const std::string& name, const Place& place) {
  const auto [at, fresh] = reading.rule_files.try_emplace(name);
  auto& set = at->second;
  if (!fresh && set) return &*set;
  const auto before = reading.mistakes.size();
  if (Name::good(name)) {
    if (auto file = in_rule_folders(reading, name + ".toml", place)) set = read_found(reading, std::move(*file));
  }
  if (set) return &*set;
  if (reading.mistakes.size() > before) return nullptr;
  const auto names = rule_file_names(reading);
  auto hint = did_you_mean(name, views(names));
  if (hint.empty() && name.ends_with(".toml")) hint = "write '" + name.substr(0, name.size() - 5) + "'";
  if (hint.empty()) hint = "looked for " + name + ".toml in rules/ beside the file and in the catalogue's rules/";
  reading.mistake(place, "there is no rule file '" + name + "'", std::move(hint));
  return nullptr;
}

std::optional<Found> ruleset_file(Reading& reading, const Node& node) {
  const std::filesystem::path name = node.text;
  const auto before = reading.mistakes.size();
  if (leaves_folder(name)) {
    // The command line is the user's own word: the path is then one from the working folder, links and all.
    if (node.source && node.source->command_line) {
      if (auto text = file_text(reading.mistakes, name)) return Found{name.string(), std::move(*text)};
      return {};
    }
    reading.about(node, "the path leads out of the scenario's folder: " + found(node),
                  "put the ruleset beside the file or into rules/, or name it with --set firewall.ruleset=PATH");
    return {};
  }
  if (auto file = in_every_folder(reading, node.text, node.place())) return file;
  if (reading.mistakes.size() == before)
    reading.about(node, "there is no ruleset " + found(node), nearest_ruleset(reading, node.text));
  return {};
}

std::optional<Found> ruleset_file(Reading& reading, const std::string& name, const Place& place) {
  const auto before = reading.mistakes.size();
  if (auto file = in_every_folder(reading, name, place)) return file;
  if (reading.mistakes.size() == before)
    reading.mistake(place, "there is no ruleset '" + name + "'", nearest_ruleset(reading, name));
  return {};
}

}  // namespace lab::scenario
