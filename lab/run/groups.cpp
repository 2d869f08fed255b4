#include "run/groups.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "run/programs.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"

namespace lab::run {

namespace {

bool is_frozen_by(const scenario::Step& step, const std::string& actor) {
  return step.verb == scenario::Verb::freeze && !step.words.empty() && step.words[0] == actor;
}

bool someone_freezes(const scenario::Scenario& scenario, const std::string& actor) {
  return std::any_of(scenario.actors.begin(), scenario.actors.end(), [&](const scenario::Actor& one) {
    return std::any_of(one.steps.begin(), one.steps.end(), [&](const auto& step) { return is_frozen_by(step, actor); });
  });
}

// Service managers put programs on services.
bool wants_program(const scenario::Scenario& scenario, const scenario::Actor& actor) {
  return actor.role == scenario::Role::server && attaches(scenario, "cgroup-drop");
}

}  // namespace

Groups make_groups(const scenario::Scenario& scenario, const Options& options) {
  Groups groups;
  const bool root = ::geteuid() == 0 && !options.rootless;
  for (const auto& actor : scenario.actors) {
    const bool freezer = root && someone_freezes(scenario, actor.name) && sandbox::why_no_cgroup({}, true).empty();
    const bool program = root && wants_program(scenario, actor);
    if (!actor.cgroup.any() && !freezer && !program) continue;
    if (!root) throw sys::Unavailable(actor.name + ": cgroup limits need root outside; run lab with sudo");
    groups.emplace(actor.name, sandbox::Cgroup(actor.name, actor.cgroup, freezer, program));
  }
  return groups;
}

GroupDoors doors_of(const Groups& groups) {
  GroupDoors doors;
  for (const auto& [name, group] : groups) doors.emplace(name, group.doors());
  return doors;
}

void GroupMeter::look(int pid, evidence::Sink& sink) {
  const auto now = sandbox::hits(doors_);
  const auto t = sys::now_ns();
  const auto tell = [&](evidence::What what) { sink.put({.t_ns = t, .read_time = true, .what = std::move(what)}); };
  const auto limit = [&](const char* name, std::uint64_t value, std::uint64_t used) {
    tell(evidence::LimitState{.pid = pid, .name = name, .limit = value, .used = used, .hit = true});
  };
  const auto& limits = actor_.cgroup;
  // Meeting the memory limit is no harm by itself, the kernel reclaims first: the kill is.
  if (now.oom_kills > before_.oom_kills) {
    limit("cgroup.memory", limits.memory.value_or(0), limits.memory.value_or(0));
    tell(evidence::Change{.kind = "cgroup-oom-kill", .object = actor_.name, .detail = std::to_string(now.oom_kills)});
  }
  if (now.pids > before_.pids) {
    limit("cgroup.pids", limits.pids.value_or(0), limits.pids.value_or(0));
    tell(evidence::Change{.kind = "cgroup-pids-max", .object = actor_.name, .detail = std::to_string(now.pids)});
  }
  // In percent of one CPU, and periods of 100 ms in which they were used up.
  if (now.throttled > before_.throttled)
    limit("cgroup.cpu", static_cast<std::uint64_t>(std::llrint(limits.cpu.value_or(0) * 100)), now.throttled);
  before_ = now;
}

}  // namespace lab::run
