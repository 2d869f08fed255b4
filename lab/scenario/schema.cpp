#include "scenario/schema.hpp"

#include <nlohmann/json.hpp>

#include "scenario/keys.hpp"
#include "scenario/rule.hpp"
#include "scenario/sections.hpp"

namespace lab::scenario {
namespace {

using Json = nlohmann::ordered_json;

struct KindName {
  Node::Kind kind;
  const char* name;
};
constexpr KindName kKinds[] = {{Node::string, "string"},   {Node::integer, "integer"}, {Node::real, "number"},
                               {Node::boolean, "boolean"}, {Node::array, "array"},     {Node::table, "object"}};

Json type_of(const Shape& shape) {
  Json names = Json::array();
  for (const auto& [kind, name] : kKinds) {
    if (shape.kinds & kind) names.push_back(name);
  }
  return names.size() == 1 ? names[0] : names;
}

// "enum" would speak of numbers too, a pattern only of strings.
std::string only(std::span<const std::string_view> names) {
  std::string text;
  for (const auto name : names) text += (text.empty() ? "" : "|") + std::string(name);
  return "^(" + text + ")$";
}

void add_string(const Shape& shape, unsigned roles, Json& json) {
  if (!shape.names.empty() && shape.kinds == Node::string) {
    json["enum"] = shape.names;
  } else if (!shape.names.empty()) {
    json["pattern"] = only(shape.names);
  } else if (shape.pattern_of) {
    json["pattern"] = shape.pattern_of(roles);
  } else if (!shape.pattern.empty()) {
    json["pattern"] = shape.pattern;
  }
}

void add_number(const Shape& shape, Json& json) {
  if (shape.least != std::numeric_limits<std::int64_t>::min()) json["minimum"] = shape.least;
  if (shape.most != std::numeric_limits<std::int64_t>::max()) json["maximum"] = shape.most;
}

Json schema_of(const Shape& shape, unsigned roles);

void add_table(const Shape& shape, unsigned roles, Json& json) {
  Json known = Json::object(), required = Json::array();
  for (const auto& property : shape.table ? shape.table() : std::span<const Property>()) {
    if (!(property.roles & roles)) continue;
    const std::string name(property.name);
    known[name] = schema_of(*property.shape, roles);
    known[name]["description"] = property.says;
    if (property.required) required.push_back(name);
  }
  if (!known.empty()) json["properties"] = std::move(known);
  if (!required.empty()) json["required"] = std::move(required);
  json["additionalProperties"] = shape.others ? schema_of(*shape.others, roles) : Json(false);
}

Json schema_of(const Shape& shape, unsigned roles) {
  roles &= shape.roles;
  Json json{{"type", type_of(shape)}};
  if (shape.kinds & Node::string) add_string(shape, roles, json);
  if (shape.kinds & Node::integer) add_number(shape, json);
  if (shape.item && (shape.kinds & Node::array)) json["items"] = schema_of(*shape.item, roles);
  if (shape.kinds & Node::table) add_table(shape, roles, json);
  return json;
}

std::string whole(const char* title, std::span<const Property> (*table)()) {
  Json json{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}};
  json.update(schema_of({.what = "", .kinds = Node::table, .table = table}, kEverybody));
  return json.dump(2) + "\n";
}

}  // namespace

std::string scenario_schema() { return whole("Scenario file of lab", scenario_properties); }
std::string rules_schema() { return whole("Rule file of lab", rule_file_properties); }

}  // namespace lab::scenario
