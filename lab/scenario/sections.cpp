#include "scenario/sections.hpp"

#include "scenario/actor.hpp"
#include "scenario/expect.hpp"
#include "scenario/firewall.hpp"
#include "scenario/kinds.hpp"
#include "scenario/network.hpp"
#include "scenario/outcomes.hpp"

namespace lab::scenario {
namespace {

constexpr Key<Scenario> kKeys[] = {
    key<Line, &Scenario::summary>("summary", "one line that says what happens", kEverybody, true),
    key<Text, &Scenario::description>("description", "Markdown: what happens and why"),
    key<TextList, &Scenario::tags>("tags", "words to find it by; the first that is a layer groups it"),
    key<Span, &Scenario::timeout>("timeout", "the whole run's deadline (default 10s)"),
    key<Pause, &Scenario::grace>("grace", "how long the others may go on when the clients have ended (default 200ms)"),
};

template <const Node* Sections::*Where>
void note(Reading&, const Node& node, Sections& sections) {
  sections.*Where = &node;
}

template <Role R>
void note_actors(Reading& reading, const Node& node, Sections& sections) {
  const auto add = [&](const Node& actor) {
    if (actor.kind != Node::table) return reading.wrong(actor, "a table");
    sections.roles.push_back(R);
    sections.actors.push_back(&actor);
  };
  if (node.kind != Node::array) return add(node);
  if (node.items.empty()) reading.wrong(node, "a table");
  for (const auto& item : node.items) add(item);
}

constexpr Shape kNetwork{.what = "a table", .kinds = Node::table, .table = &network_properties};
constexpr Shape kFirewall{.what = "a table", .kinds = Node::table, .table = &firewall_properties};
constexpr Shape kActorSection{.what = "a table of steps and their outcomes", .kinds = Node::table, .others = &kOutcome};
constexpr Shape kExpect{.what = "a table", .kinds = Node::table, .table = &expect_properties, .others = &kActorSection};

template <Role R>
constexpr Shape kActor{.what = "a table", .kinds = Node::table, .table = &actor_properties, .roles = bit(R)};
template <Role R>
constexpr Shape kActors{.what = "a table, or an array of them",
                        .kinds = Node::table | Node::array,
                        .item = &kActor<R>,
                        .table = &actor_properties,
                        .roles = bit(R)};

template <Role R>
constexpr Key<Sections> actors(std::string_view name, std::string_view says) {
  return special<Sections>(name, kActors<R>, note_actors<R>, says);
}

constexpr Key<Sections> kSections[] = {
    special<Sections>("network", kNetwork, note<&Sections::network>, "where it happens"),
    special<Sections>("firewall", kFirewall, note<&Sections::firewall>, "rules"),
    actors<Role::server>("server", "who listens; [[server]] for several"),
    actors<Role::client>("client", "who connects; [[client]] for several"),
    actors<Role::proxy>("proxy", "who accepts and connects onwards; [[proxy]] for several"),
    actors<Role::op>("operator", "who changes the system meanwhile"),
    special<Sections>("expect", kExpect, note<&Sections::expect>, "what must come of it"),
};

}  // namespace

Sections read_top(Reading& reading, const Node& root, Scenario& scenario) {
  Sections sections;
  read_parts(reading, root, kEverybody, Part<Scenario>{kKeys, scenario}, Part<Sections>{kSections, sections});
  return sections;
}

std::span<const Property> scenario_properties() {
  static const auto all = [] {
    std::vector<Property> list;
    for (const auto& key : kKeys) list.push_back(key.property);
    for (const auto& key : kSections) list.push_back(key.property);
    return list;
  }();
  return all;
}

}  // namespace lab::scenario
