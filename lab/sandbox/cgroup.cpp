#include "sandbox/cgroup.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <sstream>

#include "sandbox/cgroup_guardian.hpp"
#include "sandbox/cgroup_place.hpp"
#include "system/clock.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::sandbox {
namespace {

using sys::check;

// The kernel's default period; a quota below 1 ms is refused (kernel/sched/core.c, min_cfs_quota_period).
constexpr std::int64_t kPeriod_us = 100'000, kSmallestQuota_us = 1'000;
constexpr std::int64_t kFreezePatience_ns = 5'000'000'000;

std::vector<std::string> needed(const scenario::Cgroup& limits, bool freezer, bool program) {
  std::vector<std::string> controllers;
  if (limits.memory) controllers.push_back("memory");
  if (limits.pids) controllers.push_back("pids");
  if (limits.cpu) controllers.push_back("cpu");
  if (freezer) controllers.push_back("freezer");
  if (program) controllers.push_back("bpf");
  return controllers;
}

// One folder in each hierarchy that is needed, with the controllers that matter there.
struct Group {
  std::string folder;
  bool unified = false;
  std::vector<std::string> controllers;
  bool has(const char* controller) const {
    return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
  }
};

[[noreturn]] void unavailable(const std::string& why) { throw sys::Unavailable("no control group: " + why); }

std::string fix_for(const std::string& controller) {
  if (controller == "bpf") return "no hierarchy of version 2 is mounted; mount -t cgroup2 none FOLDER";
  return "no mounted hierarchy hands out the controller '" + controller + "'; echo +" + controller +
         " > /sys/fs/cgroup/cgroup.subtree_control";
}

std::vector<Group> plan(const std::string& name, const scenario::Cgroup& limits, bool freezer, bool program) {
  if (::geteuid() != 0) unavailable("it takes root outside; run lab with sudo");
  const auto controllers = needed(limits, freezer, program);
  const auto places = places_for(controllers, hierarchies());
  std::vector<Group> groups;
  for (std::size_t i = 0; i < controllers.size(); ++i) {
    const auto& controller = controllers[i];
    const auto& place = places[i];
    if (!place) unavailable(fix_for(controller));
    if (::access(place->parent.c_str(), W_OK) == -1) unavailable(place->parent + " can't be written");
    const auto folder = place->parent + "/" + name;
    auto same = std::find_if(groups.begin(), groups.end(), [&](const auto& one) { return one.folder == folder; });
    if (same == groups.end()) same = groups.insert(groups.end(), {folder, place->unified, {}});
    same->controllers.push_back(controller);
  }
  return groups;
}

std::vector<std::string> folders_of(const std::vector<Group>& groups) {
  std::vector<std::string> folders;
  for (const auto& group : groups) folders.push_back(group.folder);
  return folders;
}

// Kernels without swap accounting have no such file.
void write_if_there(const std::string& path, const std::string& text) {
  if (::access(path.c_str(), F_OK) == 0) sys::write_file(path, text);
}

void limit_memory(const Group& group, std::uint64_t bytes) {
  const auto text = std::to_string(bytes);
  sys::write_file(group.folder + (group.unified ? "/memory.max" : "/memory.limit_in_bytes"), text);
  // No swap: the limit is to be met, not put off. Version 1 limits the sum of both.
  write_if_there(group.folder + "/memory.swap.max", "0");
  write_if_there(group.folder + "/memory.memsw.limit_in_bytes", text);
}

void limit_cpu(const Group& group, double share) {
  const auto quota = std::max<std::int64_t>(std::llrint(share * static_cast<double>(kPeriod_us)), kSmallestQuota_us);
  const auto text = std::to_string(quota);
  if (group.unified) return sys::write_file(group.folder + "/cpu.max", text + " " + std::to_string(kPeriod_us));
  sys::write_file(group.folder + "/cpu.cfs_period_us", std::to_string(kPeriod_us));
  sys::write_file(group.folder + "/cpu.cfs_quota_us", text);
}

void make(const Group& group, const scenario::Cgroup& limits) {
  check(::mkdir(group.folder.c_str(), 0755), group.folder);
  if (group.has("memory")) limit_memory(group, *limits.memory);
  if (group.has("pids")) sys::write_file(group.folder + "/pids.max", std::to_string(*limits.pids));
  if (group.has("cpu")) limit_cpu(group, *limits.cpu);
}

std::string from_start(int descriptor) {
  char text[4096];
  const auto got = check(::pread(descriptor, text, sizeof text, 0), "state of a control group");
  return std::string(text, static_cast<std::size_t>(got));
}

// "name 12" on a line of its own; a number alone where there is no name. 0 where there is none.
std::uint64_t counter(int descriptor, const std::string& name) {
  if (descriptor < 0) return 0;
  std::istringstream lines(from_start(descriptor));
  std::string word;
  std::uint64_t value = 0;
  if (name.empty()) return lines >> value ? value : 0;
  while (lines >> word >> value)
    if (word == name) return value;
  return 0;
}

// Invalid where this kernel has no such file.
sys::Descriptor open_if_there(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0 ? sys::open_file(path, O_RDONLY) : sys::Descriptor();
}

}  // namespace

struct Cgroup::State {
  std::vector<Group> groups;
  CgroupGuardian guardian;  // destroyed last: everything below is closed by then
  std::vector<sys::Descriptor> entrances;
  sys::Descriptor freezer, events, memory, oom, pids, cpu, folder;

  void open(const Group& group);
};

void Cgroup::State::open(const Group& group) {
  const auto& at = group.folder;
  entrances.push_back(sys::open_file(at + "/cgroup.procs", O_WRONLY));
  if (group.has("memory")) {
    memory = open_if_there(at + (group.unified ? "/memory.events" : "/memory.failcnt"));
    if (!group.unified) oom = open_if_there(at + "/memory.oom_control");
  }
  if (group.has("pids")) pids = open_if_there(at + "/pids.events");
  if (group.has("cpu")) cpu = open_if_there(at + "/cpu.stat");
  if (group.has("bpf")) folder = sys::open_file(at, O_RDONLY | O_DIRECTORY);
  if (!group.has("freezer")) return;
  freezer = sys::open_file(at + (group.unified ? "/cgroup.freeze" : "/freezer.state"), O_RDWR);
  if (group.unified) events = sys::open_file(at + "/cgroup.events", O_RDONLY);
}

Cgroup::Cgroup(const std::string& label, const scenario::Cgroup& limits, bool freezer, bool program) {
  static unsigned number = 0;
  auto name = "lab-" + std::to_string(::getpid()) + "-" + std::to_string(++number) + "-" + label;
  std::replace(name.begin(), name.end(), '/', '_');
  auto groups = plan(name, limits, freezer, program);
  state_.reset(new State{groups, CgroupGuardian(folders_of(groups)), {}, {}, {}, {}, {}, {}, {}, {}});
  for (const auto& group : groups) {
    make(group, limits);
    state_->open(group);
  }
}

Cgroup::Cgroup(Cgroup&&) noexcept = default;
Cgroup::~Cgroup() = default;

CgroupDoors Cgroup::doors() const {
  CgroupDoors doors;
  for (const auto& entrance : state_->entrances) doors.entrances.push_back(entrance.get());
  doors.freezer = state_->freezer.get();
  doors.events = state_->events.get();
  doors.memory = state_->memory.get();
  doors.oom = state_->oom.get();
  doors.pids = state_->pids.get();
  doors.cpu = state_->cpu.get();
  doors.folder = state_->folder.get();
  return doors;
}

std::vector<int> CgroupDoors::all() const {
  auto numbers = entrances;
  for (const int one : {freezer, events, memory, oom, pids, cpu})
    if (one >= 0) numbers.push_back(one);
  return numbers;
}

CgroupHits hits(const CgroupDoors& doors) {
  const bool unified = doors.oom < 0;
  return {.memory = counter(doors.memory, unified ? "max" : ""),
          .oom_kills = counter(unified ? doors.memory : doors.oom, "oom_kill"),
          .pids = counter(doors.pids, "max"),
          .throttled = counter(doors.cpu, "nr_throttled")};
}

void enter(const CgroupDoors& doors) {
  for (const int entrance : doors.entrances) check(::write(entrance, "0", 1), "enter a control group");
}

void freeze(const CgroupDoors& doors, bool frozen) {
  if (doors.freezer < 0) throw sys::LabError("this actor's control group has no freezer");
  const bool unified = doors.events >= 0;
  const std::string_view wish = unified ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
  check(::pwrite(doors.freezer, wish.data(), wish.size(), 0), "freeze a control group");
  const auto deadline = sys::Deadline::after_ns(kFreezePatience_ns);
  const std::string done = unified ? (frozen ? "frozen 1" : "frozen 0") : std::string(wish);
  while (from_start(unified ? doors.events : doors.freezer).find(done) == std::string::npos) {
    if (deadline.passed()) throw sys::LabError("a control group did not freeze or thaw");
    // cgroup.events says POLLPRI when it changes; freezer.state of version 1 settles as it is read.
    pollfd change{doors.events, POLLPRI, 0};
    check(::poll(&change, 1, unified ? deadline.poll_ms() : 1), "state of a control group");
  }
}

std::string why_no_cgroup(const scenario::Cgroup& limits, bool freezer) {
  try {
    plan("lab", limits, freezer, false);
    return "";
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace lab::sandbox
