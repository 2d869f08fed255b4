#include "scenario/firewall.hpp"

#include <unordered_set>

#include "scenario/kinds.hpp"
#include "scenario/lookup.hpp"
#include "scenario/rule.hpp"

namespace lab::scenario {
namespace {

// What [firewall] holds, before files are looked up: rules of files come before inline ones.
struct Section {
  const Node *rules = nullptr, *ruleset = nullptr, *nft = nullptr, *inline_rules = nullptr;
};

template <const Node* Section::*Where>
void note(Reading&, const Node& node, Section& section) {
  section.*Where = &node;
}

constexpr Key<Section> kKeys[] = {
    special<Section>("rules", TextOrList::shape, note<&Section::rules>,
                     "rule files by name: rules/NAME.toml beside this file, then in the catalogue"),
    special<Section>("ruleset", Text::shape, note<&Section::ruleset>, "a whole ruleset in nft syntax, a file"),
    special<Section>("nft", Text::shape, note<&Section::nft>, "a whole ruleset in nft syntax, here"),
    special<Section>("rule", kRuleList, note<&Section::inline_rules>, "faults written here, as [[firewall.rule]]"),
};

void add_files(Reading& reading, const Node& node, Firewall& firewall) {
  Within within(reading, "rules");
  if (!fits(reading, node, TextOrList::shape)) return;
  const auto add = [&](const Node& item) {
    if (!fits(reading, item, Text::shape)) return;
    if (const auto* set = rule_file(reading, item.text, item.place())) {
      firewall.rules.insert(firewall.rules.end(), set->rules.begin(), set->rules.end());
    }
  };
  if (node.kind == Node::string) return add(node);
  if (node.items.size() > kMostItems)
    return reading.about(node, "names more than " + std::to_string(kMostItems) + " files");
  for (const auto& item : node.items) add(item);
}

void add_ruleset(Reading& reading, const Node& node, Firewall& firewall) {
  Within within(reading, "ruleset");
  if (!Line::read(reading, node)) return;
  if (auto file = ruleset_file(reading, node)) {
    firewall.ruleset = std::move(file->text);
    firewall.ruleset_file = std::move(file->path);
    firewall.ruleset_line = 1;
  }
}

void add_nft(Reading& reading, const Node& node, Firewall& firewall) {
  Within within(reading, "nft");
  auto text = Text::read(reading, node);
  if (!text) return;
  firewall.ruleset = std::move(*text);
  const auto start = node.place_in(0);
  firewall.ruleset_file = start.file;
  firewall.ruleset_line = start.line;
}

// Expectations and reports know a rule by its name.
void check_names(Reading& reading, const Firewall& firewall) {
  std::unordered_set<std::string_view> seen;
  for (const auto& rule : firewall.rules) {
    if (seen.insert(rule.name).second) continue;
    reading.mistake(rule.place, "a second rule named '" + rule.name + "'", "give each rule a name of its own");
  }
}

}  // namespace

void read_firewall(Reading& reading, const Node& node, const std::string& name, Firewall& firewall) {
  Within within(reading, "firewall");
  Section section;
  read_table(reading, node, kKeys, section);
  if (section.rules) add_files(reading, *section.rules, firewall);
  if (section.inline_rules) {
    Within rule(reading, "rule");
    read_rule_list(reading, *section.inline_rules, name, firewall.rules);
  }
  if (section.ruleset && section.nft) {
    reading.about(*section.nft, "'nft' can't stand beside 'ruleset'", "put one of them into the other");
  }
  if (section.ruleset) add_ruleset(reading, *section.ruleset, firewall);
  if (section.nft) add_nft(reading, *section.nft, firewall);
  if (firewall.rules.size() > kMostRules) {
    reading.about(node, "more than " + std::to_string(kMostRules) + " rules in all");
  }
  check_names(reading, firewall);
}

std::span<const Property> firewall_properties() { return properties<kKeys>(); }

}  // namespace lab::scenario
