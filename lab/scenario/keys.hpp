// The keys of the language as tables: a key's name, what it takes, where it goes, what it says. The reader, the JSON
// schema and the manual's tables all come from them.
#pragma once

#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "scenario/nearest.hpp"
#include "scenario/reading.hpp"

namespace lab::scenario {

struct Property;

// Who may have a key, as bits of Role.
constexpr unsigned bit(Role role) { return 1u << static_cast<unsigned>(role); }
inline constexpr unsigned kEverybody = ~0u;
inline constexpr unsigned kListeners = bit(Role::server) | bit(Role::proxy);
inline constexpr unsigned kTalkers = kListeners | bit(Role::client);

// What a value looks like.
struct Shape {
  std::string_view what;          // for messages: "a duration such as \"50ms\""; "" for numbers and names
  unsigned kinds = Node::string;  // of Node::Kind
  std::span<const std::string_view> names = {};  // the only strings there are
  std::int64_t least = std::numeric_limits<std::int64_t>::min();
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  std::string_view pattern = {};                        // of strings, for editors; the reader is stricter
  std::string (*pattern_of)(unsigned roles) = nullptr;  // the same where it depends on the role
  const Shape* item = nullptr;                          // of lists
  std::span<const Property> (*table)() = nullptr;       // of tables: the known keys
  const Shape* others = nullptr;                        // of tables: all other keys
  unsigned roles = kEverybody;                          // of tables: whose keys they are
};

// The part of a key that says nothing of C++: for the schema and the manual.
struct Property {
  std::string_view name;
  const Shape* shape = nullptr;
  std::string_view says;
  unsigned roles = kEverybody;
  bool required = false;
};

template <class T>
struct Key {
  Property property;
  void (*read)(Reading&, const Node&, T&) = nullptr;
};

// "a whole number from 1 to 9", "'ipv4' or 'ipv6'", …
std::string described(const Shape& shape);
// Says what is wrong when `node` does not have that shape.
bool fits(Reading& reading, const Node& node, const Shape& shape);
void unknown_key(Reading& reading, const Member& member, std::span<const std::string_view> known);
void missing_key(Reading& reading, const Node& node, const Property& property);
void not_of_role(Reading& reading, const Member& member, unsigned roles);

template <class Owner, class Value>
Owner owner_of(Value Owner::*);

// A key whose value goes into one member. `Kind` (kinds.hpp) has a shape and read().
template <class Kind, auto Where>
constexpr auto key(std::string_view name, std::string_view says, unsigned roles = kEverybody, bool required = false) {
  using Owner = decltype(owner_of(Where));
  return Key<Owner>{{name, &Kind::shape, says, roles, required}, [](Reading& reading, const Node& node, Owner& owner) {
                      if (auto value = Kind::read(reading, node)) owner.*Where = std::move(*value);
                    }};
}

template <const auto& Keys>
std::span<const Property> properties() {
  static const auto all = [] {
    std::vector<Property> list;
    for (const auto& key : Keys) list.push_back(key.property);
    return list;
  }();
  return all;
}

// Keys, and where their values go: a table's keys may go to several places.
template <class T>
struct Part {
  std::span<const Key<T>> keys;
  T& into;
};

template <class T>
bool read_member(Reading& reading, const Member& member, unsigned roles, const Part<T>& part) {
  for (const auto& key : part.keys) {
    if (key.property.name != member.key) continue;
    if (key.property.roles & roles) {
      Within within(reading, member.key);
      key.read(reading, member.value, part.into);
    } else {
      not_of_role(reading, member, key.property.roles);
    }
    return true;
  }
  return false;
}

template <class T>
void add_names(const Part<T>& part, unsigned roles, std::vector<std::string_view>& names) {
  for (const auto& key : part.keys) {
    if (key.property.roles & roles) names.push_back(key.property.name);
  }
}

template <class T>
void check_required(Reading& reading, const Node& node, const Part<T>& part) {
  for (const auto& key : part.keys) {
    if (key.property.required && !node.find(key.property.name)) missing_key(reading, node, key.property);
  }
}

template <class... T>
void read_parts(Reading& reading, const Node& node, unsigned roles, const Part<T>&... parts) {
  if (node.kind != Node::table) return reading.wrong(node, "a table");
  for (const auto& member : node.members) {
    if ((read_member(reading, member, roles, parts) || ...)) continue;
    std::vector<std::string_view> known;
    (add_names(parts, roles, known), ...);
    unknown_key(reading, member, known);
  }
  (check_required(reading, node, parts), ...);
}

template <class T>
void read_table(Reading& reading, const Node& node, std::type_identity_t<std::span<const Key<T>>> keys, T& into,
                unsigned roles = kEverybody) {
  read_parts(reading, node, roles, Part<T>{keys, into});
}

template <const auto& Keys>
inline constexpr Shape kTableOf{.what = "a table", .kinds = Node::table, .table = &properties<Keys>};

// A key that a function of its own reads.
template <class T>
constexpr Key<T> special(std::string_view name, const Shape& shape, void (*read)(Reading&, const Node&, T&),
                         std::string_view says, unsigned roles = kEverybody, bool required = false) {
  return {{name, &shape, says, roles, required}, read};
}

}  // namespace lab::scenario
