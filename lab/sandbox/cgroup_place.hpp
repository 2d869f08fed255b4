// Where groups can be made on this machine: hierarchies of version 1, each with some controllers, and the one of
// version 2.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace lab::sandbox {

struct Hierarchy {
  bool unified = false;                  // version 2
  std::vector<std::string> controllers;  // version 1; of version 2 a group's cgroup.subtree_control decides
  std::string mount;                     // its folder
  std::string own;                       // this process's group beneath it: "" or "/system.slice/…"
};

// From what /proc/self/mountinfo and /proc/self/cgroup say.
std::vector<Hierarchy> parse_hierarchies(const std::string& mountinfo, const std::string& membership);
std::vector<Hierarchy> hierarchies();

struct Place {
  bool unified = false;
  std::string parent;  // the folder in which a group with the controller can be made
};

// For each of "memory", "pids", "cpu", "freezer" and "bpf" (which version 2 has everywhere), in this order; nothing
// where no hierarchy offers it. A process is in one group of a hierarchy, so all that version 2 offers are in one
// place.
std::vector<std::optional<Place>> places_for(const std::vector<std::string>& controllers,
                                             const std::vector<Hierarchy>& all);

}  // namespace lab::sandbox
