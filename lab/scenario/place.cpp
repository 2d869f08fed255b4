#include <algorithm>

#include "scenario/document.hpp"

namespace lab::scenario {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }  // UTF-8: not a first byte

// Bytes that a TOML escape at `at` (its backslash) takes in the file, and gives in the value.
struct Escape {
  std::size_t taken, given;
};

Escape escape_at(std::string_view raw, std::size_t at) {
  const char kind = at + 1 < raw.size() ? raw[at + 1] : '\0';
  if (kind != 'u' && kind != 'U') {
    if (kind != '\n' && kind != '\r' && kind != ' ' && kind != '\t') return {2, 1};
    // A line that ends in a backslash goes on at the next thing that is no space.
    const auto next = raw.find_first_not_of(" \t\r\n", at + 1);
    return {(next == raw.npos ? raw.size() : next) - at, 0};
  }
  const std::size_t digits = kind == 'u' ? 4 : 8;
  std::uint32_t code = 0;
  for (std::size_t i = at + 2; i < std::min(raw.size(), at + 2 + digits); ++i) {
    const char c = raw[i];
    code = code * 16 + static_cast<std::uint32_t>(c <= '9' ? c - '0' : (c & 0x5F) - 'A' + 10);
  }
  return {2 + digits, code < 0x80 ? 1u : code < 0x800 ? 2u : code < 0x10000 ? 3u : 4u};
}

// Where the value starts in the file, and whether escapes count in it.
struct Opening {
  std::size_t at;
  bool escapes;
};

Opening opening(std::string_view raw, std::size_t at) {
  const char quote = at < raw.size() ? raw[at] : '\0';
  if (quote != '"' && quote != '\'') return {at, false};
  const bool several = raw.substr(at, 3) == std::string(3, quote);
  at += several ? 3 : 1;
  if (several && raw.substr(at, 1) == "\n") at += 1;
  if (several && raw.substr(at, 2) == "\r\n") at += 2;
  return {at, quote == '"'};
}

}  // namespace

Place Node::place() const { return {source ? source->name : "", line, column}; }
Place Member::place() const { return {source ? source->name : "", line, column}; }

Place Node::place_in(std::size_t offset) const {
  if (!source || source->command_line || line == 0 || line > source->lines.size()) return place();
  const std::string_view raw = source->text;
  std::size_t at = source->lines[line - 1];
  for (std::uint32_t left = column; left > 1 && at < raw.size(); --left) {
    do ++at;
    while (at < raw.size() && continues(raw[at]));
  }
  const auto start = opening(raw, at);
  at = start.at;
  while (offset > 0 && at < raw.size()) {
    const auto step = start.escapes && raw[at] == '\\' ? escape_at(raw, at) : Escape{1, 1};
    if (step.given > offset) break;
    at += step.taken;
    offset -= step.given;
  }
  // The line that `at` is on, and the code points before it there.
  const auto next = std::upper_bound(source->lines.begin(), source->lines.end(), at);
  const auto row = static_cast<std::uint32_t>(next - source->lines.begin());
  std::uint32_t points = 1;
  for (std::size_t i = source->lines[row - 1]; i < std::min(at, raw.size()); ++i) points += continues(raw[i]) ? 0 : 1;
  return {source->name, row, points};
}

const Node* Node::find(std::string_view key) const {
  for (const auto& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Node* Node::find(std::string_view key) {
  for (auto& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string found(const Node& node) {
  switch (node.kind) {
    case Node::string: {
      constexpr std::size_t kShown = 60;
      std::size_t end = std::min(kShown, node.text.size());
      while (end > 0 && end < node.text.size() && continues(node.text[end])) --end;
      std::string shown = node.text.substr(0, end) + (end < node.text.size() ? "…" : "");
      return "\"" + shown + "\"";
    }
    case Node::integer:
      return "the number " + std::to_string(node.number);
    case Node::real:
      return "a number with a fraction";
    case Node::boolean:
      return node.number ? "true" : "false";
    case Node::date:
      return "a date or time";
    case Node::array:
      return node.items.empty() ? "an empty list" : "a list";
    case Node::table:
      return "a table";
  }
  return "";
}

}  // namespace lab::scenario
