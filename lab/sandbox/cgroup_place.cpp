#include "sandbox/cgroup_place.hpp"

#include <algorithm>
#include <map>
#include <sstream>

#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::sandbox {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(part);
  return parts;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// "4:memory:/a/b": "memory" to "/a/b"; version 2 ("0::/a/b") under "".
std::map<std::string, std::string> parse_membership(const std::string& text) {
  std::map<std::string, std::string> groups;
  for (const auto& line : split(text, '\n')) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto names = split(line.substr(first + 1, second - first - 1), ',');
    for (const auto& name : names) groups[name] = line.substr(second + 1);
    if (names.empty()) groups[""] = line.substr(second + 1);
  }
  return groups;
}

// A container may see only a part of the hierarchy, whose root it is mounted with; "" for the root itself.
std::string beneath(const std::string& group, const std::string& root) {
  const std::string inner = root != "/" && group.starts_with(root) ? group.substr(root.size()) : group;
  return inner == "/" ? "" : inner;
}

bool hands_out(const std::string& folder, const std::string& controller) {
  try {
    auto text = sys::read_file(folder + "/cgroup.subtree_control");
    std::replace(text.begin(), text.end(), '\n', ' ');
    return contains(split(text, ' '), controller);
  } catch (const sys::KernelError&) {
    return false;
  }
}

// A group with processes of its own hands out nothing (the rule of no internal processes), so it is one above lab's.
std::optional<Place> place_in_unified(const std::string& controller, const Hierarchy& unified) {
  if (controller == "freezer" || controller == "bpf") return Place{true, unified.mount + unified.own};
  auto own = unified.own;
  while (true) {
    if (hands_out(unified.mount + own, controller)) return Place{true, unified.mount + own};
    if (own.empty()) return {};
    own.resize(own.find_last_of('/'));
  }
}

std::optional<Place> place_for(const std::string& controller, const std::vector<Hierarchy>& all) {
  // Version 2 first: what it freezes can still be killed.
  for (const auto& one : all)
    if (one.unified)
      if (auto place = place_in_unified(controller, one)) return place;
  for (const auto& one : all)
    if (!one.unified && contains(one.controllers, controller)) return Place{false, one.mount + one.own};
  return {};
}

}  // namespace

// A line of mountinfo: ID PARENT DEVICE ROOT FOLDER OPTIONS … - TYPE SOURCE SUPER-OPTIONS (man 5 proc).
std::vector<Hierarchy> parse_hierarchies(const std::string& mountinfo, const std::string& membership) {
  const auto groups = parse_membership(membership);
  std::vector<Hierarchy> all;
  for (const auto& line : split(mountinfo, '\n')) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 6 || fields.end() - dash < 4) continue;
    const auto& type = dash[1];
    if (type != "cgroup" && type != "cgroup2") continue;
    Hierarchy found{.unified = type == "cgroup2", .controllers = {}, .mount = fields[4], .own = ""};
    if (!found.unified) found.controllers = split(dash[3], ',');
    for (const auto& [controller, group] : groups) {
      const bool same = found.unified ? controller.empty() : contains(found.controllers, controller);
      if (same) found.own = beneath(group, fields[3]);
    }
    all.push_back(std::move(found));
  }
  return all;
}

std::vector<Hierarchy> hierarchies() {
  return parse_hierarchies(sys::read_file("/proc/self/mountinfo"), sys::read_file("/proc/self/cgroup"));
}

std::vector<std::optional<Place>> places_for(const std::vector<std::string>& controllers,
                                             const std::vector<Hierarchy>& all) {
  std::vector<std::optional<Place>> places;
  for (const auto& controller : controllers) places.push_back(place_for(controller, all));
  // What a group hands out, every group above it hands out: the highest place has all.
  const Place* highest = nullptr;
  for (const auto& place : places)
    if (place && place->unified && (!highest || place->parent.size() < highest->parent.size())) highest = &*place;
  if (const auto parent = highest ? highest->parent : ""; highest)
    for (auto& place : places)
      if (place && place->unified) place->parent = parent;
  return places;
}

}  // namespace lab::sandbox
