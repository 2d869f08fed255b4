#include "run/doctor.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/kernel.hpp"
#include "evidence/collectors/syscalls.hpp"
#include "run/recipe.hpp"
#include "sandbox/cgroup.hpp"
#include "sandbox/sandbox.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/process.hpp"

namespace lab::run {

namespace {

using Abilities = std::vector<Ability>;
using Json = nlohmann::json;

// The sandbox's reasons come as "REASON; FIX".
void split_fix(Ability& what) {
  const auto at = what.why.find("; ");
  if (at == what.why.npos) return;
  what.fix = what.why.substr(at + 2);
  what.why.resize(at);
}

// ---- namespaces, each on its own, in a child that ends at once

int errno_of_unshare(int flag) {
  if (::geteuid() == 0 && flag != CLONE_NEWUSER) return ::unshare(flag) == 0 ? 0 : errno;
  if (::unshare(CLONE_NEWUSER) != 0) return errno;
  return flag == CLONE_NEWUSER || ::unshare(flag) == 0 ? 0 : errno;
}

void try_unshare(int flag) {
  const auto child = sys::check(::fork(), "fork to try a namespace");
  if (child == 0) ::_exit(errno_of_unshare(flag) & 0xFF);
  int status = 0;
  while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  if (WEXITSTATUS(status) != 0) throw sys::KernelError(WEXITSTATUS(status), "unshare");
}

Abilities examine_namespaces() {
  struct Known {
    const char* name;
    int flag;
  };
  constexpr Known known[] = {{"user", CLONE_NEWUSER}, {"net", CLONE_NEWNET}, {"pid", CLONE_NEWPID},
                             {"mount", CLONE_NEWNS},  {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};
  Abilities all;
  for (const auto& one : known) {
    Ability ability{.kind = "namespace", .name = one.name, .loss = "no scenario runs"};
    all.push_back(tried(ability, [&] { try_unshare(one.flag); }));
  }
  return all;
}

// ---- inside: what is found travels over a pipe

Json to_json(const Ability& a) { return {a.kind, a.name, a.yes, a.why, a.fix, a.loss}; }
Ability from_json(const Json& j) { return {j[0], j[1], j[2], j[3], j[4], j[5]}; }

Abilities in_sandbox(scenario::Topology topology, const std::function<Abilities()>& examine) {
  auto pipe = sys::make_pipe();
  sandbox::Plan plan{.identity = sandbox::invoker(), .network = {.topology = topology}};
  plan.keep = {pipe.write.get()};
  auto box = sandbox::Sandbox::make(plan, [&] {
    const auto namespaces = sandbox::furnish(plan);
    Json found = Json::array();
    sandbox::inside(netns_of_rules(namespaces), [&] {
      for (const auto& ability : examine()) found.push_back(to_json(ability));
    });
    sys::write_all(pipe.write.get(), found.dump(-1, ' ', true, Json::error_handler_t::replace), "tell what was found");
    return 0;
  });
  pipe.write.reset();
  const auto text = sys::read_all(pipe.read.get(), "what was found in the sandbox");
  if (box.wait() != 0) throw sys::Unavailable("the sandbox could not be furnished (its own message is above)");
  Abilities all;
  for (const auto& one : Json::parse(text)) all.push_back(from_json(one));
  return all;
}

void add_sandboxes(Abilities& all) {
  Abilities inside;
  Ability loopback{.kind = "sandbox", .name = "loopback", .loss = "no scenario runs"};
  all.push_back(tried(loopback, [&] { inside = in_sandbox(scenario::Topology::loopback, examine_inside); }));
  split_fix(all.back());
  Ability routed{.kind = "sandbox", .name = "routed", .loss = "scenarios with topology = \"routed\" are skipped"};
  all.push_back(tried(routed, [] { in_sandbox(scenario::Topology::routed, [] { return Abilities(); }); }));
  if (!all.back().yes && all[all.size() - 2].yes) all.back().fix = "modprobe veth";
  split_fix(all.back());
  all.insert(all.end(), inside.begin(), inside.end());
}

// ---- what only real root has

// Loads what a run loads: whether this kernel's verifier takes the programs, nobody else can say.
std::string why_no_kernel_collector(bool root) {
  if (!root) return "needs root";
  try {
    evidence::KernelProbe::load({.hurry = true});
    return {};
  } catch (const std::exception& reason) {
    return reason.what();
  }
}

void add_root(Abilities& all, bool rootless) {
  const bool root = ::geteuid() == 0 && !rootless;
  const auto why = why_no_kernel_collector(root);
  const std::string fix = root ? "" : "sudo";
  all.push_back({"collector", "kernel", why.empty(), why, why.empty() ? "" : fix,
                 "drop and reset reasons are not seen: some verdicts stay likely"});
  all.push_back(
      {"collector", "signals", why.empty(), why, why.empty() ? "" : fix, "who sent a signal is often not known"});
  Ability groups{.kind = "root", .name = "cgroups", .loss = "scenarios with cgroup limits or freeze are skipped"};
  all.push_back(tried(groups, [&] {
    if (!root) throw sys::Unavailable("needs root; sudo");
    const scenario::Cgroup all_limits{.memory = 1 << 20, .pids = 1, .cpu = 1};
    if (const auto reason = sandbox::why_no_cgroup(all_limits, true); !reason.empty()) throw sys::Unavailable(reason);
  }));
  split_fix(all.back());
}

}  // namespace

Ability tried(Ability what, const std::function<void()>& work) {
  try {
    work();
    what.yes = true;
  } catch (const std::exception& reason) {
    what.why = reason.what();
  }
  return what;
}

std::vector<Ability> examine_machine(bool rootless) {
  auto all = examine_namespaces();
  add_sandboxes(all);
  add_root(all, rootless);
  return all;
}

}  // namespace lab::run
