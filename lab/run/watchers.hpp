// Every collector of a run that lives in init: opened in each network namespace, drained, finished, accounted for.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "evidence/collectors/collector.hpp"
#include "run/run.hpp"
#include "sandbox/sandbox.hpp"

namespace lab::run {

class Watchers {
 public:
  // Opens what can be opened; what can't is accounted for as off, with its reason. Once.
  void open(const std::vector<sandbox::Netns>& namespaces, const Options& options);

  // Set-up is finished: what was seen until now was the lab's own doing.
  void start(evidence::Sink& sink);
  // Descriptors that want to be read soon (rule trace, notifications); the others are drained with them.
  std::vector<int> descriptors() const;
  void drain(evidence::Sink& sink);
  void watch_process(int pid);
  // Sockets of every namespace; with `processes`, their owners' states and limits too.
  void snapshot(evidence::Sink& sink, const std::string& when, bool processes);
  // Asks whoever takes snapshots to take the next before long: something has changed.
  void look_soon() { look_soon_ = true; }
  bool look_is_due() { return std::exchange(look_soon_, false); }
  // Sockets of every namespace, for whoever waits for a listener; no evidence.
  void listeners(evidence::Sink& sink);
  void finish(evidence::Sink& sink);
  std::vector<evidence::Collector> accounts() const;

 private:
  // One that fails in the middle is let be from then on: the run goes on, its account says what happened, and that
  // events are missing.
  template <class Kind>
  struct Watched {
    std::unique_ptr<Kind> source;
    std::string failed;                     // "" while it works
    const sandbox::Netns* where = nullptr;  // of several: begun and ended inside it
  };
  template <class Kind, class Use>
  static void use(Watched<Kind>& one, const Use& with);
  static void use_inside(Watched<evidence::Source>& one, const std::function<void(evidence::Source&)>& with);
  template <class Kind>
  using All = std::vector<Watched<Kind>>;

  All<evidence::Source> sources_;  // all but sockets
  All<evidence::Sockets> sockets_;
  All<evidence::Sockets> readiness_;  // also where "sockets" is switched off
  Watched<evidence::Processes> processes_;
  bool look_soon_ = false;
  std::vector<evidence::Collector> off_;
};

}  // namespace lab::run
