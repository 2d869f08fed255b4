// Where scenarios and rules are found.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "scenario/reader.hpp"

namespace lab::scenario {

// Folders that hold scenarios/ and rules/, in the order they are searched: the working folder, $XDG_DATA_HOME/lab
// (default ~/.local/share/lab), /etc/lab, then the catalogue that belongs to the running program: beside the
// build tree's sources, or PREFIX/share/lab.
class Catalogue {
 public:
  // `program`: the running executable's path (/proc/self/exe), from which the shipped catalogue is found.
  static Catalogue standard(const std::filesystem::path& program);
  explicit Catalogue(std::vector<std::filesystem::path> roots);

  struct Entry {
    std::string name, layer, summary;
    std::vector<std::string> tags;
    std::filesystem::path path;
    std::vector<Mistake> mistakes;  // a file that can't be read is listed with its mistakes
  };
  std::vector<Entry> scenarios() const;  // sorted by layer, then name; the first root wins a name
  std::vector<Entry> rules() const;      // rule files and whole rulesets

  // A name ("firewall-drop") or a path ("./x.toml", anything with '/' or ending in .toml). Throws std::runtime_error
  // that names the nearest known one when there is none.
  std::filesystem::path find(const std::string& name_or_path) const;
  RulePath rule_path() const;

 private:
  std::vector<std::filesystem::path> roots_;
};

}  // namespace lab::scenario
