#include "run/cast.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "run/actor_report.hpp"
#include "run/testimony.hpp"
#include "sandbox/confine.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"

namespace lab::run {

using scenario::Role;

// One actor with what surrounds it.
struct Cast::Member {
  const scenario::Actor* what = nullptr;
  std::unique_ptr<actors::Actor> actor;
  sandbox::Filter filter;
  std::unique_ptr<sandbox::Notifier> notifier;  // where the filter asks init
  std::unique_ptr<GroupMeter> meter;            // of its control group, where it has one
  std::vector<pid_t> pids;
  bool started = false;

  bool has_filter() const { return what->seccomp.has_value(); }
};

Cast::Cast(const Setup& setup, const std::vector<sandbox::Netns>& namespaces, Teller& teller, Watchers& watchers)
    : setup_(setup), namespaces_(namespaces), teller_(teller), watchers_(watchers) {
  if (setup.trace_calls) tracer_ = std::make_unique<evidence::CallTracer>();
  const actors::Context context{.server = server_endpoint(*setup.scenario), .folder = setup.folder};
  for (const auto& actor : setup.scenario->actors) {
    auto member = std::make_unique<Member>();
    member->what = &actor;
    member->actor = std::make_unique<actors::Actor>(actor, context);
    if (actor.seccomp) {
      member->filter = sandbox::compile(*actor.seccomp, !actor.run.empty());
      member->notifier = std::make_unique<sandbox::Notifier>(*actor.seccomp, [this](const sandbox::Answered& answered) {
        teller_.put({.t_ns = answered.t_ns, .what = filter_act(answered)});
      });
    }
    if (const auto group = setup.cgroups.find(actor.name); group != setup.cgroups.end())
      member->meter = std::make_unique<GroupMeter>(actor, group->second);
    members_.push_back(std::move(member));
  }
}

Cast::~Cast() = default;

void Cast::serve(actors::OperatorActs& acts) {
  for (auto& member : members_)
    if (member->what->role == Role::op) member->actor->serve(acts);
}

std::vector<evidence::Collector> Cast::accounts() const {
  return tracer_ ? tracer_->accounts() : std::vector<evidence::Collector>{};
}

void Cast::prepare(const Member& member, int keep_fd) const {
  const auto& what = *member.what;
  const auto& ns = netns_of(namespaces_, what.role);
  if (namespaces_.size() > 1)
    sys::check(::setns(ns.ns.get(), CLONE_NEWNET), "enter the network namespace of " + what.name);
  if (const auto group = setup_.cgroups.find(what.name); group != setup_.cgroups.end()) sandbox::enter(group->second);
  std::vector<int> keep;
  if (keep_fd >= 0) keep.push_back(keep_fd);
  if (member.notifier) keep.push_back(member.notifier->mailbox());
  sandbox::confine({.limits = &what.limits,
                    .program = !what.run.empty(),
                    .keep_capabilities = what.role == Role::op,
                    .identity = setup_.plan.identity,
                    .keep = keep});
  if (tracer_ && !what.run.empty()) tracer_->load_filter();
  if (member.notifier) member.notifier->install(member.filter);
}

// A program is held back until the tracer has it: from its exec on no call is missed.
std::vector<pid_t> Cast::fork(Member& member) {
  if (!tracer_ || member.what->run.empty())
    return member.actor->start([&](const scenario::Actor&, std::uint32_t, int keep_fd) { prepare(member, keep_fd); });
  const auto gate = std::make_shared<evidence::TraceGate>();
  const auto pids = member.actor->start([&, gate](const scenario::Actor&, std::uint32_t, int keep_fd) {
    gate->pass();
    prepare(member, keep_fd);
  });
  for (const auto pid : pids) tracer_->adopt(pid, member.has_filter());
  gate->open();
  return pids;
}

bool Cast::fork_ahead(Role role) {
  bool all = true;
  for (const auto& m : members_) {
    if (m->what->role != role) continue;
    if (m->what->run.empty() && !m->notifier && !m->meter)
      m->actor->fork_ahead([&](const scenario::Actor&, std::uint32_t, int keep_fd) { prepare(*m, keep_fd); });
    else
      all = false;
  }
  return all;
}

void Cast::fork_ahead() {
  for (const auto role : {Role::server, Role::proxy, Role::op, Role::client})
    if (!fork_ahead(role)) return;
}

bool Cast::start(Role role) {
  for (auto& member : members_) {
    if (member->what->role != role) continue;
    const auto began = sys::now_ns();
    const auto& pids = member->pids = fork(*member);
    member->started = true;
    for (std::uint32_t i = 0; i < pids.size(); ++i) {
      teller_.put({.t_ns = began,
                   .what = evidence::ProcessStart{.pid = pids[i],
                                                  .role = role_name(*member->what),
                                                  .actor = member->what->name,
                                                  .instance = i,
                                                  .program = member->what->run.empty() ? "" : member->what->run[0],
                                                  .limits = limits_of(*member->what)}});
      watchers_.watch_process(pids[i]);
    }
  }
  return has(role);
}

std::vector<int> Cast::descriptors() const {
  std::vector<int> all;
  for (const auto& member : members_) {
    if (!member->started) continue;
    for (int fd : member->actor->descriptors()) all.push_back(fd);
    if (member->notifier)
      for (int fd : member->notifier->descriptors()) all.push_back(fd);
  }
  return all;
}

void Cast::serve(const std::function<bool(int fd)>& readable) {
  for (auto& member : members_) {
    if (!member->started) continue;
    if (member->notifier)
      for (int fd : member->notifier->descriptors())
        if (readable(fd)) member->notifier->serve(fd);
    member->actor->drain([&](std::uint32_t instance, bool error, std::string text) {
      teller_.put({.t_ns = sys::now_ns(),
                   .read_time = true,
                   .what = evidence::Output{.role = role_name(*member->what),
                                            .actor = member->what->name,
                                            .instance = instance,
                                            .error = error,
                                            .text = std::move(text)}});
    });
  }
}

void Cast::took(pid_t pid, int status) {
  if (tracer_ && tracer_->handle(pid, status, teller_)) return;
  evidence::ProcessExit exit{.pid = pid};
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
    exit.by_lab = stopping_ && exit.signal == SIGKILL;  // a child that nobody had reaped died long before
    exit.core = WCOREDUMP(status);
  } else {
    exit.status = WEXITSTATUS(status);
  }
  for (auto& member : members_) {
    if (!member->actor->owns(pid)) continue;
    if (stopping_ && !member->started) return;  // forked ahead, and never had its turn
    exit.role = role_name(*member->what);
    exit.actor = member->what->name;
    exit.instance = member->actor->instance_of(pid);
    member->actor->ended(pid, status);
  }
  // A tracer sees every thread end; only a death by a signal or with an error says something.
  if (exit.actor.empty() && tracer_ && !exit.signal && !exit.status) return;
  teller_.put({.t_ns = sys::now_ns(), .read_time = true, .what = std::move(exit)});
}

// A kill for want of memory is told before the death that it explains.
void Cast::reap() {
  look_at_groups();
  int status = 0;
  pid_t pid = 0;
  while ((pid = ::waitpid(-1, &status, WNOHANG | __WALL)) > 0) took(pid, status);
  if (pid == -1 && errno != ECHILD) sys::check(pid, "wait for the actors");
}

bool Cast::has(Role role) const {
  return std::any_of(members_.begin(), members_.end(), [&](const auto& m) { return m->what->role == role; });
}

bool Cast::ended(Role role) const {
  return std::all_of(members_.begin(), members_.end(),
                     [&](const auto& m) { return m->what->role != role || (m->started && m->actor->all_ended()); });
}

bool Cast::all_ended() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& m) { return m->started && m->actor->all_ended(); });
}

// Whoever loses its parent becomes init's child; a kernel without this list (CONFIG_PROC_CHILDREN) has no orphans.
bool Cast::left_orphans() const {
  std::ifstream children("/proc/thread-self/children");
  for (pid_t pid = 0; children >> pid;)
    if (std::none_of(members_.begin(), members_.end(), [&](const auto& m) { return m->actor->owns(pid); })) return true;
  return false;
}

bool Cast::ready(Role role) const {
  return std::all_of(members_.begin(), members_.end(), [&](const auto& m) {
    return m->what->role != role || !m->what->run.empty() || m->actor->ready() || m->actor->all_ended();
  });
}

std::vector<const scenario::Actor*> Cast::listeners_awaited(Role role) const {
  std::vector<const scenario::Actor*> all;
  for (const auto& member : members_) {
    const auto& what = *member->what;
    if (what.role == role && !what.run.empty() && what.wait_ready && what.listen) all.push_back(&what);
  }
  return all;
}

void Cast::check() const {
  for (const auto& member : members_)
    if (const auto failure = member->actor->failure(); !failure.empty()) {
      if (member->actor->failure_of_program()) throw Invalid(failure);
      throw sys::LabError(failure);
    }
}

void Cast::signal(const std::string& actor, int signal) {
  bool known = false;
  for (const auto& member : members_) {
    if (member->what->name != actor || !member->started) continue;
    known = true;
    for (const auto pid : member->pids) {
      if (::kill(pid, signal) == -1 && errno != ESRCH) throw sys::KernelError(errno, fmt::format("signal {}", actor));
    }
  }
  if (!known) throw sys::LabError(fmt::format("no actor '{}' is running", actor));
}

void Cast::look_at_groups() {
  for (const auto& member : members_)
    if (member->meter && member->started && !member->pids.empty()) member->meter->look(member->pids.front(), teller_);
}

void Cast::freeze(const std::string& actor, bool frozen) {
  const auto group = setup_.cgroups.find(actor);
  if (group == setup_.cgroups.end() || group->second.freezer < 0) return signal(actor, frozen ? SIGSTOP : SIGCONT);
  sandbox::freeze(group->second, frozen);
}

void Cast::finish() {
  reap();
  if (tracer_) tracer_->finish(teller_);
  stopping_ = true;
  // From pid 1 this reaches every process of the pid namespace but itself (man 2 kill).
  if (::kill(-1, SIGKILL) == -1 && errno != ESRCH) sys::check(-1, "kill the actors");
  // In version 1 a frozen process dies only when it is thawed.
  for (const auto& [actor, doors] : setup_.cgroups)
    if (doors.freezer >= 0) sandbox::freeze(doors, false);
  int status = 0;
  for (pid_t pid = 0; (pid = ::waitpid(-1, &status, __WALL)) > 0;) took(pid, status);
  serve([](int) { return false; });
  for (const auto& member : members_) report(*member->what, *member->actor, member->notifier.get(), teller_);
}

}  // namespace lab::run
