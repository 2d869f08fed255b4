// A TOML document as a plain tree in the file's order, where each node knows its place. Only document.cpp knows toml++.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "scenario/reader.hpp"

namespace lab::scenario {

// A text that nodes come from: a file, or one --set.
struct Source {
  std::string name;
  std::string text;
  std::vector<std::size_t> lines;  // offset of each line's first byte
  bool command_line = false;       // --set: the user's own word, and without lines
};

struct Member;

struct Node {
  // Bits, so that a key can say which it takes.
  enum Kind : unsigned { string = 1, integer = 2, real = 4, boolean = 8, date = 16, array = 32, table = 64 };

  Kind kind = table;
  std::string text;             // string
  std::int64_t number = 0;      // integer; boolean as 0 or 1
  double fraction = 0;          // real
  std::vector<Node> items;      // array
  std::vector<Member> members;  // table, in the file's order

  const Source* source = nullptr;
  std::uint32_t line = 0, column = 0;

  Place place() const;
  // The place of byte `offset` of a string's value, also behind escapes and in strings of several lines.
  Place place_in(std::size_t offset) const;
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
};

struct Member {
  std::string key;
  Node value;
  const Source* source = nullptr;
  std::uint32_t line = 0, column = 0;  // of the key
  Place place() const;
};

// Owns the texts that its nodes point into.
class Document {
 public:
  // A syntax error ends the reading: root() is then an empty table.
  Document(std::string text, std::string name, std::vector<Mistake>& mistakes);

  Node& root() { return root_; }
  const Node& root() const { return root_; }

  // The VALUE of a --set: TOML, or a bare word that becomes a string. Nothing, and a mistake, when it is neither.
  std::optional<Node> value(const std::string& text, const std::string& origin, std::vector<Mistake>& mistakes);
  // A key with dots as TOML reads it: `a."b.c"` is two words.
  std::optional<std::vector<std::string>> key(const std::string& text);
  // A place for what a --set makes.
  const Source* command_line(const std::string& origin);

 private:
  std::deque<Source> sources_;
  Node root_;
};

// "the string \"x\"", "the number 5", "a table", …: what was found, for messages.
std::string found(const Node& node);

}  // namespace lab::scenario
