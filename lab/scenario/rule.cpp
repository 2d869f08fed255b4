#include "scenario/rule.hpp"

#include <algorithm>

#include "scenario/kinds.hpp"
#include "scenario/match.hpp"

namespace lab::scenario {
namespace {

std::span<const Property> not_properties() {
  static const auto all = [] {
    std::vector<Property> list;
    for (const auto& key : match_keys()) list.push_back(key.property);
    return list;
  }();
  return all;
}

constexpr Shape kNot{.what = "a table of match keys", .kinds = Node::table, .table = &not_properties};

void read_not(Reading& reading, const Node& node, Rule& rule) {
  Match match;
  read_table<Match>(reading, node, match_keys(), match);
  if (node.kind == Node::table && node.members.empty()) reading.about(node, "expected a key to negate");
  rule.negated = std::move(match);
}

constexpr Key<Rule> kRuleKeys[] = {
    key<Name, &Rule::name>("name", "what expectations and reports call it (default: the file's name, numbered)"),
    key<OneOf<kHooks>, &Rule::hook>("hook", "where it sits (default output)"),
    key<OneOf<kDirections>, &Rule::direction>("direction", "by addresses and ports alone (default to-server)"),
    key<OneOf<kRuleActions>, &Rule::action>("action", "what it does", kEverybody, true),
    special<Rule>("not", kNot, read_not, "match keys that must not hold"),
};

void check_pace(Reading& reading, const Node& node) {
  const Member* first = nullptr;
  for (const auto& member : node.members) {
    const auto keys = pace_keys();
    const bool pace =
        std::any_of(keys.begin(), keys.end(), [&](const auto& k) { return k.property.name == member.key; });
    if (!pace) continue;
    if (first) {
      reading.mistake(member.place(), reading.path + ": '" + member.key + "' can't stand beside '" + first->key + "'",
                      "choose one of every, probability, rate and connections");
    }
    first = &member;
  }
}

struct RuleFile {
  std::string summary, description;
  std::vector<std::string> tags;
  const Node* rules = nullptr;
};

void read_rules_key(Reading&, const Node& node, RuleFile& file) { file.rules = &node; }

constexpr Key<RuleFile> kFileKeys[] = {
    key<Line, &RuleFile::summary>("summary", "one line for `lab list --rules`"),
    key<Text, &RuleFile::description>("description", "Markdown: where it is met in real life"),
    key<TextList, &RuleFile::tags>("tags", "words to find it by"),
    special<RuleFile>("rule", kRuleList, read_rules_key, "the rules, as [[rule]]", kEverybody, true),
};

std::string stem(const std::string& path) {
  const auto slash = path.rfind('/');
  auto name = slash == path.npos ? path : path.substr(slash + 1);
  if (name.ends_with(".toml")) name.resize(name.size() - 5);
  return name;
}

}  // namespace

void read_rule_list(Reading& reading, const Node& node, const std::string& base, std::vector<Rule>& rules) {
  if (node.kind == Node::table) return reading.wrong(node, "an array of tables", "write [[" + reading.path + "]]");
  if (node.kind != Node::array) return reading.wrong(node, "an array of tables");
  if (node.items.empty()) return reading.wrong(node, "at least one rule");
  if (node.items.size() > kMostRules) {
    return reading.about(node, "has " + std::to_string(node.items.size()) + " rules; at most " +
                                   std::to_string(kMostRules) + " are taken");
  }
  rules.reserve(rules.size() + node.items.size());
  std::size_t number = 0;
  for (const auto& item : node.items) {
    Rule rule;
    rule.place = item.place();
    rule.name = ++number == 1 ? base : base + "-" + std::to_string(number);
    read_parts(reading, item, kEverybody, Part<Rule>{kRuleKeys, rule}, Part<Match>{match_keys(), rule.match},
               Part<Match>{pace_keys(), rule.match});
    check_pace(reading, item);
    rules.push_back(std::move(rule));
  }
}

RuleSet read_rule_text(Reading& reading, std::string text, const std::string& path) {
  RuleSet set;
  set.path = path;
  set.name = stem(path);
  const auto before = reading.mistakes.size();
  const Document document(std::move(text), path, reading.mistakes);
  if (reading.mistakes.size() > before) return set;
  RuleFile file;
  read_table(reading, document.root(), kFileKeys, file);
  set.summary = file.summary;
  if (!file.rules) return set;
  Within within(reading, "rule");
  read_rule_list(reading, *file.rules, set.name, set.rules);
  for (auto& rule : set.rules) rule.summary = set.summary;
  return set;
}

std::span<const Property> rule_properties() {
  static const auto all = [] {
    std::vector<Property> list;
    for (const auto& key : kRuleKeys) list.push_back(key.property);
    for (const auto& key : match_keys()) list.push_back(key.property);
    for (const auto& key : pace_keys()) list.push_back(key.property);
    return list;
  }();
  return all;
}

std::span<const Property> rule_file_properties() { return properties<kFileKeys>(); }

}  // namespace lab::scenario
