// One run as lab sees it from outside: a sandbox under way, the evidence that comes out of it, and the report at its
// end.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "evidence/collectors/kernel.hpp"
#include "report/report.hpp"
#include "evidence/collectors/syscalls.hpp"
#include "run/channel.hpp"
#include "run/gathered.hpp"
#include "run/inside.hpp"
#include "run/run.hpp"
#include "sandbox/sandbox.hpp"
#include "system/clock.hpp"

namespace lab::run {

class Flight {
 public:
  // Starts the sandbox. Throws Unavailable or KernelError when there can be none.
  // `probe` is asked when the sandbox stands, or before where that decides how calls are traced; it may give null: no
  // kernel evidence.
  using Probe = std::function<evidence::KernelProbe*()>;
  Flight(const scenario::Scenario& scenario, const Options& options, Probe probe);
  ~Flight();
  // An event that the probe saw in this run's sandbox.
  void see(evidence::Event&& event) { gathered_.timeline.events.push_back(std::move(event)); }
  void account(const evidence::Collector& one) { gathered_.timeline.provenance.collectors.push_back(one); }
  std::optional<evidence::KernelProbe::Sandbox> watched() const { return watched_; }

  // By ptrace, inside: where no probe watches outside programs.
  bool traces_calls() const;

  int descriptor() const { return records_.get(); }
  // Readable when init has ended.
  int ending() const { return sandbox_->pidfd(); }
  // Reads what came; false once the sandbox has said its last word.
  bool listen();
  // The moment at which a sandbox that no longer answers is killed (its own deadline and more than its clean-up).
  const sys::Deadline& last_call() const { return last_call_; }
  void abort(const std::string& why);
  // As the deadline would: the verdict is about what was seen so far. False before anything acted.
  bool stop();
  // Init has said its last word; all that is left of the sandbox is init, on its way out.
  bool whole() const { return listener_.whole(); }
  // Blocks until everything inside is gone.
  void wait();
  // At the end, or after init's last word: judges and compares.
  report::Report land();
  // Waits, and completes the report's times.
  void leave(report::Report& report);

 private:
  void ready();
  void attach();
  void answer(std::int32_t error);

  const scenario::Scenario& scenario_;
  const Options& options_;
  Probe probe_;
  std::optional<evidence::KernelProbe::Sandbox> watched_;
  Gathered gathered_;
  Listener listener_;
  sys::Descriptor records_, go_;
  std::int64_t began_ns_ = 0, ended_ns_ = 0;
  bool under_way_ = false;  // the actors have their turn
  int status_ = 0;          // init's wait status
  sys::Deadline last_call_;
  Programs programs_;
  Groups groups_;  // gone after the sandbox
  std::unique_ptr<sandbox::Sandbox> sandbox_;
};

// The lab's own failure as a report: error, skipped or an invalid scenario.
report::Report failed(const scenario::Scenario& scenario, Failure kind, const std::string& reason);

}  // namespace lab::run
