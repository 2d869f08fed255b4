#include "scenario/catalogue.hpp"

#include <algorithm>
#include <cstdlib>
#include <set>
#include <stdexcept>

#include "scenario/causes.hpp"
#include "scenario/files.hpp"
#include "scenario/nearest.hpp"

namespace lab::scenario {
namespace {

namespace fs = std::filesystem;

// $XDG_DATA_HOME must be absolute (XDG base directory specification).
fs::path data_home() {
  const char* xdg = std::getenv("XDG_DATA_HOME");
  if (xdg && *xdg == '/') return xdg;
  const char* home = std::getenv("HOME");
  return home && *home == '/' ? fs::path(home) / ".local/share" : fs::path();
}

bool is_root(const fs::path& folder) {
  std::error_code ignored;
  return !folder.empty() && fs::is_directory(folder / "scenarios", ignored);
}

void add(std::vector<fs::path>& roots, const fs::path& folder) {
  if (!is_root(folder)) return;
  std::error_code ignored;
  const bool known = std::any_of(roots.begin(), roots.end(),
                                 [&](const fs::path& root) { return fs::equivalent(root, folder, ignored); });
  if (!known) roots.push_back(folder);
}

// SOURCE/build/lab beside SOURCE/scenarios, PREFIX/bin/lab beside PREFIX/share/lab, BUILD/lab above BUILD/share/lab.
fs::path shipped(const fs::path& program) {
  const auto folder = program.parent_path();
  for (const auto& candidate : {folder.parent_path(), folder.parent_path() / "share/lab", folder / "share/lab"}) {
    if (is_root(candidate)) return candidate;
  }
  return {};
}

std::vector<fs::path> files(const fs::path& folder, std::string_view extension) {
  std::vector<fs::path> list;
  std::error_code ignored;
  for (fs::directory_iterator at(folder, ignored), end; at != end; at.increment(ignored)) {
    if (at->path().extension() == extension && at->is_regular_file(ignored)) list.push_back(at->path());
  }
  std::sort(list.begin(), list.end());
  return list;
}

// "./scenarios/x.toml" is told as "scenarios/x.toml".
fs::path shown(const fs::path& path) { return path.lexically_normal(); }

Catalogue::Entry scenario_entry(const fs::path& path, const RulePath& rules) {
  auto read = read_scenario(path, rules);
  auto& scenario = read.value;
  return {scenario.name, scenario.layer, scenario.summary, scenario.tags, path, std::move(read.mistakes)};
}

Catalogue::Entry rules_entry(const fs::path& path) {
  auto read = read_rules(path);
  return {read.value.name, "firewall", read.value.summary, {"rules"}, path, std::move(read.mistakes)};
}

// The first sentence of the comment that a ruleset begins with, whose lines may break anywhere.
std::string first_sentence(std::string_view text) {
  std::string sentence;
  while (text.starts_with("#") && !text.starts_with("#!")) {
    const auto line = text.substr(0, text.find('\n'));
    const auto start = line.find_first_not_of("# \t");
    if (start == line.npos) break;
    sentence += (sentence.empty() ? "" : " ") + std::string(line.substr(start));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return sentence.substr(0, sentence.find(". "));
}

Catalogue::Entry ruleset_entry(const fs::path& path) {
  Catalogue::Entry entry{path.filename().string(), "firewall", "", {"ruleset"}, path, {}};
  entry.summary = first_sentence(file_text(entry.mistakes, path).value_or(""));
  if (entry.summary.ends_with('.')) entry.summary.pop_back();
  return entry;
}

std::size_t rank(const std::string& layer) {
  const auto layers = layer_names();
  return static_cast<std::size_t>(std::find(layers.begin(), layers.end(), layer) - layers.begin());
}

bool is_path(const std::string& name) { return name.find('/') != name.npos || name.ends_with(".toml"); }

}  // namespace

Catalogue Catalogue::standard(const fs::path& program) {
  std::vector<fs::path> roots;
  const auto home = data_home();
  add(roots, ".");
  if (!home.empty()) add(roots, home / "lab");
  add(roots, "/etc/lab");
  add(roots, shipped(program));
  return Catalogue(std::move(roots));
}

Catalogue::Catalogue(std::vector<fs::path> roots) : roots_(std::move(roots)) {}

std::vector<Catalogue::Entry> Catalogue::scenarios() const {
  std::vector<Entry> entries;
  std::set<std::string> known;
  const auto rules = rule_path();
  for (const auto& root : roots_) {
    for (const auto& path : files(root / "scenarios", ".toml")) {
      if (known.insert(path.stem().string()).second) entries.push_back(scenario_entry(shown(path), rules));
    }
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(rank(a.layer), a.name) < std::tuple(rank(b.layer), b.name);
  });
  return entries;
}

std::vector<Catalogue::Entry> Catalogue::rules() const {
  std::vector<Entry> entries;
  std::set<std::string> known;
  const auto gather = [&](std::string_view extension, Entry (*entry)(const fs::path&)) {
    for (const auto& folder : rule_path()) {
      for (const auto& path : files(folder, extension)) {
        if (known.insert(path.filename().string()).second) entries.push_back(entry(shown(path)));
      }
    }
  };
  gather(".toml", rules_entry);
  gather(".nft", ruleset_entry);
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(b.tags, a.name) < std::tie(a.tags, b.name);  // typed rules, then rulesets
  });
  return entries;
}

fs::path Catalogue::find(const std::string& name) const {
  if (is_path(name)) return name;
  std::vector<fs::path> folders;
  for (const auto& root : roots_) {
    const auto path = root / "scenarios" / (name + ".toml");
    std::error_code ignored;
    if (fs::exists(path, ignored)) return shown(path);
    folders.push_back(root / "scenarios");
  }
  std::error_code ignored;
  if (fs::exists(name + ".toml", ignored)) {
    throw std::runtime_error("there is no scenario '" + name + "': ./" + name +
                             ".toml is a file: name it with its path");
  }
  const auto names = file_names(folders, ".toml", true);
  auto hint = did_you_mean(name, views(names));
  if (hint.empty()) hint = names.empty() ? "no folder of scenarios was found" : "`lab list` shows them";
  throw std::runtime_error("there is no scenario '" + name + "': " + hint);
}

RulePath Catalogue::rule_path() const {
  RulePath path;
  for (const auto& root : roots_) path.push_back(root / "rules");
  return path;
}

}  // namespace lab::scenario
