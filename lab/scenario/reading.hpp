// What every reader of a part of a file shares: the list of mistakes, and where in the file it stands.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/document.hpp"
#include "scenario/reader.hpp"

namespace lab::scenario {

class Reading {
 public:
  std::vector<Mistake> mistakes;
  std::string path;              // the dotted key that is being read, for messages: "server.limits"
  Family family = Family::ipv4;  // of the addresses that the file writes
  std::filesystem::path folder;  // the scenario file's: relative paths start there
  RulePath rules;
  std::map<std::string, std::optional<RuleSet>> rule_files;  // those looked up, each read once

  void mistake(const Place& place, std::string message, std::string hint = "");
  // "PATH: WHAT" at `node`.
  void about(const Node& node, const std::string& what, std::string hint = "");
  // "PATH: expected EXPECTED, found …" at `node`.
  void wrong(const Node& node, const std::string& expected, std::string hint = "");
};

// In the order of the files as they were first spoken of, then by line and column; on one line each, and without what
// would steer a terminal.
void tidy(std::vector<Mistake>& mistakes);

// Adds a word to the path for as long as it lives.
class Within {
 public:
  Within(Reading& reading, std::string_view word) : reading_(reading), length_(reading.path.size()) {
    if (!reading.path.empty()) reading.path += '.';
    reading.path += word;
  }
  ~Within() { reading_.path.resize(length_); }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;

 private:
  Reading& reading_;
  std::size_t length_;
};

}  // namespace lab::scenario
