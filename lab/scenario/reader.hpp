// Reads scenario and rule files. Every mistake of a file is found in one go.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "scenario/types.hpp"

namespace lab::scenario {

struct Mistake {
  Place place;
  std::string message;  // thing, what was expected, what was found
  std::string hint;     // something that can be typed: "did you mean 'recv'?"; may be empty
};

// "FILE:LINE:COLUMN: message\n  hint: …"
std::string to_string(const Mistake& mistake);

struct Overrides {
  std::vector<std::string> set;     // --set KEY=VALUE, in order
  std::optional<Family> family;     // -4, -6
  std::optional<Duration> timeout;  // --timeout
};

template <class T>
struct Read {
  T value;
  std::vector<Mistake> mistakes;  // empty: `value` is whole
  bool ok() const { return mistakes.empty(); }
};

// Where rules are looked for besides the scenario's own folder: the catalogue's rules/ folders, in order.
using RulePath = std::vector<std::filesystem::path>;

// A file that can't be opened is a mistake too (line 0), with the kernel's text.
Read<Scenario> read_scenario(const std::filesystem::path& file, const RulePath& rules, const Overrides& overrides = {});
// The same from text; `file` names it in messages and is where relative paths start.
Read<Scenario> parse_scenario(std::string_view text, const std::filesystem::path& file, const RulePath& rules,
                              const Overrides& overrides = {});
Read<RuleSet> read_rules(const std::filesystem::path& file);

// One step of the grammar; mistakes carry `place`'s column advanced to the word.
Read<Step> parse_step(std::string_view text, const Place& place, Role role, Family family);
// "3+", "3..5", "3+2"; "50ms"; "4KiB". Nothing when malformed.
std::optional<Range> parse_range(std::string_view text);
std::optional<Duration> parse_duration(std::string_view text);
std::optional<std::uint64_t> parse_size(std::string_view text);

}  // namespace lab::scenario
