// The actors of a run, as init sees them: who was started, who has ended, what they said and did.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evidence/collectors/syscalls.hpp"
#include "run/recipe.hpp"

namespace lab::run {

class Cast {
 public:
  Cast(const Setup& setup, const std::vector<sandbox::Netns>& namespaces, Teller& teller, Watchers& watchers);
  ~Cast();

  // Who does what an operator's steps ask for.
  void serve(actors::OperatorActs& acts);

  bool has(scenario::Role role) const;
  // Starts every instance of the actors of this role; false when there are none.
  bool start(scenario::Role role);
  // Forks the actors of this role that are steps and that nothing else surrounds: they are prepared, and wait for their
  // start. Again: does nothing. True when no actor of the role is left.
  bool fork_ahead(scenario::Role role);
  // The same of each role in the order of their turns, as far as none is left out: process numbers tell the order.
  void fork_ahead();
  // Descriptors to poll, and what to do when any of them is readable.
  std::vector<int> descriptors() const;
  void serve(const std::function<bool(int fd)>& readable);
  // Takes every child that has changed state: actors and the orphans they left.
  void reap();

  bool ended(scenario::Role role) const;  // every instance of every actor of the role; true where there are none
  bool all_ended() const;
  // Processes that outlived their parents: a server that became a daemon.
  bool left_orphans() const;
  bool ready(scenario::Role role) const;  // listeners of steps are open
  // Programs whose listener has to be seen before the next role starts.
  std::vector<const scenario::Actor*> listeners_awaited(scenario::Role role) const;
  // To the main process of each instance, as an operator's kill would. Throws KernelError, LabError for an unknown
  // name.
  void signal(const std::string& actor, int signal);
  // By the freezer where the actor has a group with one, else by SIGSTOP and SIGCONT to its main processes.
  void freeze(const std::string& actor, bool frozen);
  // What the actors' control groups have met meanwhile.
  void look_at_groups();
  // Throws what went wrong in a child before its first step or exec.
  void check() const;

  // How the tracer of outside programs fared, where there is one.
  std::vector<evidence::Collector> accounts() const;
  // Kills and reaps whoever is left, then reports steps and filters.
  void finish();

 private:
  struct Member;
  std::vector<pid_t> fork(Member& member);
  void prepare(const Member& member, int keep_fd) const;
  void took(pid_t pid, int status);

  const Setup& setup_;
  const std::vector<sandbox::Netns>& namespaces_;
  Teller& teller_;
  Watchers& watchers_;
  std::vector<std::unique_ptr<Member>> members_;
  std::unique_ptr<evidence::CallTracer> tracer_;  // null: BPF watches, or nobody
  bool stopping_ = false;
};

}  // namespace lab::run
