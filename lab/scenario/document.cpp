#include "scenario/document.hpp"

#include <algorithm>
#include <string>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace lab::scenario {
namespace {

std::vector<std::size_t> line_starts(std::string_view text) {
  std::vector<std::size_t> starts{0};
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') starts.push_back(i + 1);
  }
  return starts;
}

template <class Placed>
void put(Placed& what, const toml::source_region& region, const Source* source) {
  what.source = source;
  if (source->command_line) return;
  what.line = region.begin.line;
  what.column = region.begin.column;
}

Node converted(const toml::node& from, const Source* source);

void convert_table(const toml::table& from, const Source* source, Node& node) {
  node.kind = Node::table;
  node.members.reserve(from.size());
  for (const auto& [key, value] : from) {
    Member member{std::string(key.str()), converted(value, source)};
    put(member, key.source(), source);
    node.members.push_back(std::move(member));
  }
  // toml++ keeps keys by name; the order of actors is the file's.
  std::stable_sort(node.members.begin(), node.members.end(), [](const Member& a, const Member& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
}

Node converted(const toml::node& from, const Source* source) {
  Node node;
  put(node, from.source(), source);
  if (const auto* table = from.as_table()) {
    convert_table(*table, source, node);
  } else if (const auto* array = from.as_array()) {
    node.kind = Node::array;
    node.items.reserve(array->size());
    for (const auto& item : *array) node.items.push_back(converted(item, source));
  } else if (const auto* text = from.as_string()) {
    node.kind = Node::string;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Node::integer;
    node.number = integer->get();
  } else if (const auto* real = from.as_floating_point()) {
    node.kind = Node::real;
    node.fraction = real->get();
  } else if (const auto* boolean = from.as_boolean()) {
    node.kind = Node::boolean;
    node.number = boolean->get() ? 1 : 0;
  } else {
    node.kind = Node::date;
  }
  return node;
}

// What a --set gives as a plain word: no quotes, no brackets.
bool is_bare(std::string_view text) {
  return !text.empty() && std::string_view("\"'[{").find(text.front()) == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != 127; });
}

// `recv#2 = "ok"`: to TOML, a comment starts in the middle of a key.
std::string hint_at(const Source& source, std::uint32_t line, std::uint32_t column) {
  if (line == 0 || line > source.lines.size()) return "";
  const auto text = std::string_view(source.text).substr(source.lines[line - 1]);
  const auto row = text.substr(0, text.find('\n'));
  const auto number = row.find('#');
  if (number == row.npos || number == 0 || number + 1 != column || row.find_first_of("=\"'[") < number) return "";
  const auto key = row.substr(0, std::min(row.find(' '), row.find('=')));
  return "quote a key that holds '#': \"" + std::string(key) + "\" = …";
}

}  // namespace

Document::Document(std::string text, std::string name, std::vector<Mistake>& mistakes) {
  auto lines = line_starts(text);
  sources_.push_back({std::move(name), std::move(text), std::move(lines), false});
  const Source& source = sources_.back();
  root_.source = &source;
  const auto parsed = toml::parse(std::string_view(source.text));
  if (!parsed) {
    const auto& error = parsed.error();
    const auto& begin = error.source().begin;
    mistakes.push_back({{source.name, begin.line, begin.column},
                        "not TOML: " + std::string(error.description()),
                        hint_at(source, begin.line, begin.column)});
    return;
  }
  root_ = converted(parsed.table(), &source);
  root_.line = root_.column = 1;
}

const Source* Document::command_line(const std::string& origin) {
  sources_.push_back({origin, "", {}, true});
  return &sources_.back();
}

std::optional<Node> Document::value(const std::string& text, const std::string& origin,
                                    std::vector<Mistake>& mistakes) {
  const Source* source = command_line(origin);
  const auto parsed = toml::parse("value = " + text);
  if (parsed && parsed.table().size() == 1 && parsed.table().contains("value")) {
    return converted(*parsed.table().get("value"), source);
  }
  if (is_bare(text)) {
    Node node;
    node.kind = Node::string;
    node.text = text;
    node.source = source;
    return node;
  }
  const std::string why = parsed ? "more than one value" : std::string(parsed.error().description());
  mistakes.push_back({{origin, 0, 0}, "the value is neither TOML nor a bare word: " + why, ""});
  return {};
}

std::optional<std::vector<std::string>> Document::key(const std::string& text) {
  if (text.find('\n') != text.npos) return {};
  const auto parsed = toml::parse(text + " = 0");
  if (!parsed) return {};
  std::vector<std::string> words;
  for (const toml::node* node = &parsed.table(); const auto* table = node->as_table();) {
    if (table->size() != 1) return {};
    words.emplace_back(table->begin()->first.str());
    node = &table->begin()->second;
  }
  return words;
}

}  // namespace lab::scenario
