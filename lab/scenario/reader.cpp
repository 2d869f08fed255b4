#include "scenario/reader.hpp"

#include <algorithm>

#include "scenario/actor.hpp"
#include "scenario/causes.hpp"
#include "scenario/checks.hpp"
#include "scenario/expect.hpp"
#include "scenario/family.hpp"
#include "scenario/files.hpp"
#include "scenario/firewall.hpp"
#include "scenario/kinds.hpp"
#include "scenario/network.hpp"
#include "scenario/rule.hpp"
#include "scenario/sections.hpp"
#include "scenario/set.hpp"

namespace lab::scenario {
namespace {

std::string layer_of(const Scenario& scenario) {
  const auto layers = layer_names();
  const auto is_layer = [&](std::string_view name) {
    return std::find(layers.begin(), layers.end(), name) != layers.end();
  };
  const auto tag = std::find_if(scenario.tags.begin(), scenario.tags.end(), is_layer);
  if (tag != scenario.tags.end()) return *tag;
  if (scenario.expect.cause.empty()) return "other";
  const auto& cause = scenario.expect.cause.front();
  const auto first = cause.substr(0, cause.find('/'));
  return first == "none" ? "healthy" : is_layer(first) ? first : "other";
}

void read_actors(Reading& reading, const Sections& sections, const Node& root, Scenario& scenario) {
  if (sections.actors.size() > kMostActors) {
    return reading.about(root, "has " + std::to_string(sections.actors.size()) + " actors; at most " +
                                   std::to_string(kMostActors) + " are taken");
  }
  bool somebody = false;
  for (std::size_t i = 0; i < sections.actors.size(); ++i) {
    Actor actor;
    actor.role = sections.roles[i];
    somebody = somebody || actor.role != Role::op;
    Within within(reading, name_of(actor.role));
    read_actor(reading, *sections.actors[i], actor);
    scenario.actors.push_back(std::move(actor));
  }
  if (!somebody) reading.about(root, "nobody acts: expected a [server], a [client] or a [proxy]");
}

void check_mtu(Reading& reading, const Sections& sections, const Scenario& scenario) {
  constexpr std::uint32_t kLeastIpv6 = 1280;  // RFC 8200, section 5
  const auto& network = scenario.network;
  if (network.family != Family::ipv6 || !network.mtu || *network.mtu >= kLeastIpv6) return;
  const auto* node = sections.network ? sections.network->find("mtu") : nullptr;
  if (!node) return;
  Within within(reading, "network.mtu");
  reading.wrong(*node, "at least 1280, as IPv6 needs");
}

// Order matters: addresses need the family, expectations the names of everything else.
void read_sections(Reading& reading, const Sections& sections, const Node& root, const Overrides& overrides,
                   Scenario& scenario) {
  if (sections.network) read_network(reading, *sections.network, scenario.network);
  if (!scenario.network.family_given) scenario.network.family = family_written(root);
  reading.family = scenario.network.family;
  if (sections.firewall) read_firewall(reading, *sections.firewall, scenario.name, scenario.firewall);
  read_actors(reading, sections, root, scenario);
  if (scenario.actors.size() != sections.actors.size()) return;
  name_actors(reading, sections.actors, scenario);
  if (overrides.family && !scenario.network.family_given)
    switch_family(reading, sections.actors, *overrides.family, scenario);
  place_listeners(reading, sections.actors, scenario);
  check_mtu(reading, sections, scenario);
  resolve_operator(reading, scenario);
  check_connections(reading, scenario);
  check_signals(reading, scenario);
  if (!sections.expect) return;
  read_expect(reading, *sections.expect, scenario);
  check_expected_rules(reading, scenario);
  check_counters(reading, scenario);
}

}  // namespace

Read<Scenario> parse_scenario(std::string_view text, const std::filesystem::path& file, const RulePath& rules,
                              const Overrides& overrides) {
  Read<Scenario> result;
  auto& scenario = result.value;
  scenario.path = file.string();
  scenario.name = file.stem().string();
  Reading reading;
  reading.folder = file.has_parent_path() ? file.parent_path() : ".";
  reading.rules = rules;
  Document document(std::string(text), scenario.path, reading.mistakes);
  if (reading.mistakes.empty()) {
    for (const auto& setting : overrides.set) apply_set(setting, document, reading.mistakes);
    const auto sections = read_top(reading, document.root(), scenario);
    read_sections(reading, sections, document.root(), overrides, scenario);
    if (overrides.timeout) scenario.timeout = *overrides.timeout;
    scenario.layer = layer_of(scenario);
  }
  tidy(reading.mistakes);
  result.mistakes = std::move(reading.mistakes);
  return result;
}

Read<Scenario> read_scenario(const std::filesystem::path& file, const RulePath& rules, const Overrides& overrides) {
  Read<Scenario> result;
  if (const auto text = file_text(result.mistakes, file)) return parse_scenario(*text, file, rules, overrides);
  result.value.path = file.string();
  result.value.name = file.stem().string();
  return result;
}

Read<RuleSet> read_rules(const std::filesystem::path& file) {
  Read<RuleSet> result;
  Reading reading;
  if (auto text = file_text(reading.mistakes, file))
    result.value = read_rule_text(reading, std::move(*text), file.string());
  tidy(reading.mistakes);
  result.mistakes = std::move(reading.mistakes);
  return result;
}

}  // namespace lab::scenario
