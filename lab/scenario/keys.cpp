#include "scenario/keys.hpp"

#include <algorithm>

#include "scenario/names.hpp"

namespace lab::scenario {
namespace {

std::string bounds(const Shape& shape) {
  const bool open = shape.most == std::numeric_limits<std::int64_t>::max();
  if (open && shape.least == std::numeric_limits<std::int64_t>::min()) return "a whole number";
  if (open) return "a whole number of at least " + std::to_string(shape.least);
  return "a whole number from " + std::to_string(shape.least) + " to " + std::to_string(shape.most);
}

}  // namespace

std::string described(const Shape& shape) {
  if (!shape.what.empty()) return std::string(shape.what);
  if (!shape.names.empty()) return one_of(shape.names);
  return bounds(shape);
}

bool fits(Reading& reading, const Node& node, const Shape& shape) {
  const bool known = shape.names.empty() || node.kind != Node::string ||
                     std::find(shape.names.begin(), shape.names.end(), node.text) != shape.names.end();
  const bool within = node.kind != Node::integer || (node.number >= shape.least && node.number <= shape.most);
  if ((node.kind & shape.kinds) && known && within) return true;
  reading.wrong(node, described(shape), known ? "" : did_you_mean(node.text, shape.names));
  return false;
}

void unknown_key(Reading& reading, const Member& member, std::span<const std::string_view> known) {
  const auto where = reading.path.empty() ? "" : reading.path + ": ";
  auto hint = did_you_mean(member.key, known);
  if (hint.empty()) hint = "known keys: " + one_of(known);
  reading.mistake(member.place(), where + "unknown key '" + member.key + "'", hint);
}

void missing_key(Reading& reading, const Node& node, const Property& property) {
  reading.about(node, "'" + std::string(property.name) + "' is missing: " + std::string(property.says));
}

void not_of_role(Reading& reading, const Member& member, unsigned roles) {
  std::vector<std::string_view> who;
  for (const auto& role : kRoles) {
    if (roles & bit(role.value)) who.push_back(role.name);
  }
  reading.mistake(member.place(), reading.path + ": only " + one_of(who) + " has a '" + member.key + "'");
}

}  // namespace lab::scenario
