#include "scenario/expect.hpp"

#include <algorithm>
#include <map>

#include "scenario/causes.hpp"
#include "scenario/kinds.hpp"
#include "scenario/outcomes.hpp"
#include "scenario/step.hpp"
#include "scenario/verbs.hpp"

namespace lab::scenario {
namespace {

Expectation begun(const Member& member) {
  Expectation expectation;
  expectation.key = member.key;
  expectation.place = member.place();
  return expectation;
}

// ---- cause

constexpr Shape kCause{.what = "a cause such as \"firewall/drop\", or a list of them",
                       .kinds = Node::string | Node::array,
                       .item = &Text::shape};

void read_cause(Reading& reading, const Node& node, Expect& expect) {
  const auto add = [&](const Node& item) {
    if (!fits(reading, item, Text::shape)) return;
    const auto known = cause_names();
    if (std::find(known.begin(), known.end(), item.text) == known.end()) {
      auto hint = did_you_mean(item.text, known);
      return reading.about(item, "unknown cause '" + item.text + "'", hint.empty() ? "`lab causes` lists them" : hint);
    }
    expect.cause.push_back(item.text);
  };
  if (!fits(reading, node, kCause)) return;
  if (node.kind == Node::string) return add(node);
  if (node.items.empty()) return reading.wrong(node, "at least one cause");
  std::for_each(node.items.begin(), node.items.end(), add);
}

// ---- wire, rules, counters

constexpr Shape kClosing{.what = "a closing segment such as \"client FIN\", or \"none\"",
                         .kinds = Node::string | Node::array | Node::table,
                         .item = &Text::shape,
                         .others = &Compared::shape};

void read_closes(Reading& reading, const Node& node, std::vector<Expectation>& wire) {
  Expectation expectation;
  expectation.key = "closes";
  expectation.place = node.place();
  read_outcomes(reading, node, closing_outcome, expectation);
  wire.push_back(std::move(expectation));
}

constexpr Key<std::vector<Expectation>> kWireKeys[] = {
    special<std::vector<Expectation>>("closes", kClosing, read_closes,
                                      "the first closing segment on the wire after the handshake"),
};
constexpr Shape kWire{.what = "a table", .kinds = Node::table, .table = &properties<kWireKeys>};

void read_wire(Reading& reading, const Node& node, Expect& expect) {
  read_table<std::vector<Expectation>>(reading, node, kWireKeys, expect.wire);
}

constexpr Shape kNumbers{.what = "a table of counts and comparisons", .kinds = Node::table, .others = &Compared::shape};

void read_numbers(Reading& reading, const Node& node, std::vector<Expectation>& list) {
  if (!fits(reading, node, kNumbers)) return;
  for (const auto& member : node.members) {
    Within within(reading, member.key);
    auto expectation = begun(member);
    expectation.number = Compared::read(reading, member.value);
    expectation.source = member.value.kind == Node::string ? member.value.text : std::to_string(member.value.number);
    list.push_back(std::move(expectation));
  }
}

void read_rules(Reading& reading, const Node& node, Expect& expect) { read_numbers(reading, node, expect.rules); }

// `server.TcpRetransSegs = 1` without quotes is a table in TOML: it means the same.
void read_counters(Reading& reading, const Node& node, Expect& expect) {
  if (node.kind != Node::table) return reading.wrong(node, described(kNumbers));
  Node flat = node;
  flat.members.clear();
  for (const auto& member : node.members) {
    if (member.value.kind != Node::table) {
      flat.members.push_back(member);
      continue;
    }
    for (auto inner : member.value.members) {
      inner.key = member.key + "." + inner.key;
      flat.members.push_back(std::move(inner));
    }
  }
  read_numbers(reading, flat, expect.counters);
}

constexpr Key<Expect> kKeys[] = {
    special<Expect>("cause", kCause, read_cause, "or a list of acceptable ones"),
    special<Expect>("wire", kWire, read_wire, "what the wire showed"),
    special<Expect>("rules", kNumbers, read_rules, "hits of rules by name"),
    special<Expect>("counters", kNumbers, read_counters, "changes of the sandbox's counters, by nstat's names"),
};

// ---- actors

// The actor that a section speaks of: by its name, or by its role's where only one has that role.
const Actor* actor_of(const Scenario& scenario, std::string_view name) {
  const Actor* of_role = nullptr;
  std::size_t count = 0;
  for (const auto& actor : scenario.actors) {
    if (actor.name == name) return &actor;
    if (name_of(actor.role) != name) continue;
    of_role = &actor;
    ++count;
  }
  return count == 1 ? of_role : nullptr;
}

// How often each verb stands among an actor's steps.
std::map<std::string_view, std::uint64_t> uses(const Actor& actor) {
  std::map<std::string_view, std::uint64_t> counts;
  for (const auto* step : flattened(actor.steps)) ++counts[step->name];
  return counts;
}

std::string times(std::uint64_t count) { return count == 1 ? "once" : std::to_string(count) + " times"; }

// "recv#2": whether the actor has a second recv. The key becomes its plain form ("recv" for "recv#1").
bool check_step(Reading& reading, const Member& member, const Actor& actor, std::string& key) {
  const auto hash = key.find('#');
  const auto verb = key.substr(0, hash);
  const auto number = hash == key.npos ? std::optional<std::uint64_t>(1) : parse_whole(key.substr(hash + 1));
  const auto counts = uses(actor);
  const auto known = counts.find(verb);
  const auto say = [&](const std::string& what, std::string hint = "") {
    reading.mistake(member.place(), reading.path + ": " + what, std::move(hint));
    return false;
  };
  if (known == counts.end()) {
    if (!actor.run.empty()) return say("'" + actor.name + "' is a program: it has no steps, only an 'exit'");
    std::vector<std::string_view> names{"exit"};
    for (const auto& [name, count] : counts) names.push_back(name);
    return say("'" + actor.name + "' has no step '" + verb + "'", did_you_mean(verb, names));
  }
  if (!number || *number == 0) return say("expected a number from 1 behind '#'");
  if (*number > known->second) {
    return say("'" + actor.name + "' has no '" + key + "': it has '" + verb + "' " + times(known->second));
  }
  key = *number == 1 ? verb : verb + "#" + std::to_string(*number);
  return true;
}

void read_actor_section(Reading& reading, const Node& node, const Actor& actor, Expect& expect) {
  if (node.kind != Node::table) return reading.wrong(node, "a table of steps and their outcomes");
  auto& list = expect.actors[actor.name];
  for (const auto& member : node.members) {
    Within within(reading, member.key);
    auto expectation = begun(member);
    const bool exit = member.key == "exit";
    if (!exit && !check_step(reading, member, actor, expectation.key)) continue;
    read_outcomes(reading, member.value, exit ? exit_outcome : step_outcome, expectation);
    list.push_back(std::move(expectation));
  }
}

void read_other(Reading& reading, const Member& member, Scenario& scenario) {
  if (const auto* actor = actor_of(scenario, member.key)) {
    Within within(reading, member.key);
    return read_actor_section(reading, member.value, *actor, scenario.expect);
  }
  std::vector<std::string_view> names;
  for (const auto& key : kKeys) names.push_back(key.property.name);
  for (const auto& actor : scenario.actors) names.push_back(actor.name);
  const bool role = value_of(kRoles, member.key).has_value();
  auto hint = did_you_mean(member.key, names);
  if (role) hint = "there is no " + member.key + ", or several: use an actor's name";
  reading.mistake(member.place(), reading.path + ": there is no actor '" + member.key + "'", std::move(hint));
}

}  // namespace

void read_expect(Reading& reading, const Node& node, Scenario& scenario) {
  Within within(reading, "expect");
  if (node.kind != Node::table) return reading.wrong(node, "a table");
  const Part<Expect> fixed{kKeys, scenario.expect};
  for (const auto& member : node.members) {
    if (!read_member(reading, member, kEverybody, fixed)) read_other(reading, member, scenario);
  }
}

std::span<const Property> expect_properties() { return properties<kKeys>(); }

bool is_outcome(std::string_view text) {
  Reading quiet;
  Node node;
  node.kind = Node::string;
  node.text = text;
  return step_outcome(quiet, node).has_value();
}

}  // namespace lab::scenario
