#include "scenario/set.hpp"

#include "scenario/nearest.hpp"
#include "scenario/values.hpp"

namespace lab::scenario {
namespace {

// The '=' that ends the key: the first outside of quotes.
std::size_t equals(std::string_view setting) {
  char quote = '\0';
  for (std::size_t i = 0; i < setting.size(); ++i) {
    const char c = setting[i];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (c == '=') {
      return i;
    }
  }
  return setting.npos;
}

class Setting {
 public:
  Setting(const std::string& text, Document& document, std::vector<Mistake>& mistakes)
      : origin_("--set " + text), document_(document), mistakes_(mistakes) {}

  void apply(const std::string& text) {
    const auto at = equals(text);
    if (at == text.npos || at == 0) return wrong("expected KEY=VALUE", "--set server.backlog=4");
    auto words = document_.key(text.substr(0, at));
    if (!words)
      return wrong("the key is no dotted key of TOML",
                   "quote what holds dots: network.sysctl.\"net.ipv4.tcp_retries2\"=3");
    if (at + 1 == text.size()) return wrong("there is no value behind '='", "for an empty text write \"\"");
    auto value = document_.value(text.substr(at + 1), origin_, mistakes_);
    if (!value) return;
    source_ = value->source;
    Node* node = &document_.root();
    for (std::size_t i = 0; i + 1 < words->size() && node; ++i) node = inside(*node, (*words)[i]);
    if (node) put(*node, words->back(), std::move(*value));
  }

 private:
  void wrong(std::string message, std::string hint = "") {
    mistakes_.push_back({{origin_, 0, 0}, std::move(message), std::move(hint)});
  }

  // The element of an array that a word of the key names.
  Node* element(Node& array, const std::string& word) {
    std::vector<std::string_view> names;
    for (auto& item : array.items) {
      const auto* name = item.find("name");
      if (!name || name->kind != Node::string) continue;
      if (name->text == word) return &item;
      names.push_back(name->text);
    }
    const auto index = parse_whole(word);
    if (index && *index < array.items.size()) return &array.items[*index];
    auto hint = did_you_mean(word, names);
    if (hint.empty() && !names.empty()) hint = "there are " + one_of(names);
    wrong("there is no '" + word + "' among " + std::to_string(array.items.size()) + " elements (numbered from 0)",
          hint);
    return nullptr;
  }

  Node* inside(Node& node, const std::string& word) {
    if (node.kind == Node::array) return element(node, word);
    if (node.kind != Node::table) {
      wrong("'" + word + "' can't be set inside of " + found(node));
      return nullptr;
    }
    if (auto* known = node.find(word)) return known;
    Node table;
    table.source = source_;
    return &add(node, word, std::move(table));
  }

  Node& add(Node& table, const std::string& word, Node value) {
    table.members.push_back({word, std::move(value), source_, 0, 0});
    return table.members.back().value;
  }

  void put(Node& node, const std::string& word, Node value) {
    if (node.kind == Node::array) {
      if (auto* item = element(node, word)) *item = std::move(value);
      return;
    }
    if (node.kind != Node::table) return wrong("'" + word + "' can't be set inside of " + found(node));
    for (auto& member : node.members) {
      if (member.key != word) continue;
      member = {word, std::move(value), source_, 0, 0};
      return;
    }
    add(node, word, std::move(value));
  }

  std::string origin_;
  Document& document_;
  std::vector<Mistake>& mistakes_;
  const Source* source_ = nullptr;
};

}  // namespace

void apply_set(const std::string& setting, Document& document, std::vector<Mistake>& mistakes) {
  Setting(setting, document, mistakes).apply(setting);
}

}  // namespace lab::scenario
