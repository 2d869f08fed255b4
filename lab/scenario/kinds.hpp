// The kinds of values that keys take: each a shape, and a function that reads it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "scenario/keys.hpp"
#include "scenario/names.hpp"
#include "scenario/values.hpp"

namespace lab::scenario {

// Limits of what a file may ask for: generous, and there so that a file from a stranger can't ask for everything.
inline constexpr std::size_t kFileBytes = 16u << 20;
inline constexpr std::size_t kMostRules = 65'536;
inline constexpr std::size_t kMostActors = 256;
inline constexpr std::size_t kMostSteps = 10'000;  // of an actor, bodies of forks and threads included
inline constexpr std::size_t kMostItems = 10'000;  // of any other list
inline constexpr std::int64_t kMostParallel = 10'000;
inline constexpr std::int64_t kMostRepeats = 1'000'000;
inline constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
inline constexpr std::int64_t kMostCount = 1'000'000;
inline constexpr Duration kLongest = std::chrono::hours(24);

struct Text {
  static constexpr Shape shape{.what = "a text"};
  static std::optional<std::string> read(Reading& reading, const Node& node);
};

struct Line {  // one line, not empty
  static constexpr Shape shape{.what = "one line of text", .pattern = "^[^\\n]+$"};
  static std::optional<std::string> read(Reading& reading, const Node& node);
};

struct Name {  // of actors and rules: also a key of [expect] and of --set, so it stays plain
  static constexpr Shape shape{.what = "a name of letters, digits, '_', '-' and '.'",
                               .pattern = "^[A-Za-z0-9_.-]{1,64}$"};
  static std::optional<std::string> read(Reading& reading, const Node& node);
  static bool good(std::string_view text);
};

struct TextList {
  static constexpr Shape shape{.what = "a list of texts", .kinds = Node::array, .item = &Text::shape};
  static std::optional<std::vector<std::string>> read(Reading& reading, const Node& node);
};

struct TextOrList {
  static constexpr Shape shape{
      .what = "a text or a list of texts", .kinds = Node::array | Node::string, .item = &Text::shape};
  static std::optional<std::vector<std::string>> read(Reading& reading, const Node& node);
};

template <std::int64_t Least, std::int64_t Most>
struct Whole {
  static constexpr Shape shape{.kinds = Node::integer, .least = Least, .most = Most};
  static std::optional<std::int64_t> read(Reading& reading, const Node& node) {
    if (!fits(reading, node, shape)) return {};
    return node.number;
  }
};

struct Span {  // a duration above 0
  static constexpr Shape shape{.what = "a duration such as \"50ms\", \"1s\" or \"2m\"",
                               .pattern = "^[0-9]+(ns|us|ms|s|m|h)$"};
  static std::optional<Duration> read(Reading& reading, const Node& node);
};

struct Pause {  // 0 too
  static constexpr Shape shape = Span::shape;
  static std::optional<Duration> read(Reading& reading, const Node& node);
};

struct Bytes {
  static constexpr Shape shape{.what = "a size such as 64, \"4KiB\" or \"1MiB\"",
                               .kinds = Node::string | Node::integer,
                               .least = 0,
                               .most = kMostBytes,
                               .pattern = "^[0-9]+(B|KiB|MiB|GiB)?$"};
  static std::optional<std::uint64_t> read(Reading& reading, const Node& node);
};

struct Compared {
  static constexpr Shape shape{.what = "a count, or a comparison such as \">=1\"",
                               .kinds = Node::string | Node::integer,
                               .least = 0,
                               .pattern = "^ *(>=|<=|!=|==?|<|>)? *[0-9]+ *$"};
  static std::optional<Comparison> read(Reading& reading, const Node& node);
};

// One word of a table of names.
template <const auto& Words>
struct OneOf {
  static constexpr auto names = names_of(Words);
  static constexpr Shape shape{.what = "", .names = names};
  static auto read(Reading& reading, const Node& node) -> decltype(value_of(Words, "")) {
    if (!fits(reading, node, shape)) return {};
    return value_of(Words, node.text);
  }
};

}  // namespace lab::scenario
