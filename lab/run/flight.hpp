// One run as lab sees it from outside: a sandbox under way, the evidence that comes out of it, and the report at its end.
#pragma once

#include <memory>

#include "report/report.hpp"
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
  Flight(const scenario::Scenario& scenario, const Options& options);
  ~Flight();

  int descriptor() const { return records_.get(); }
  // Reads what came; false once the sandbox has said its last word.
  bool listen();
  // The moment at which a sandbox that no longer answers is killed (its own deadline and more than its clean-up).
  const sys::Deadline& last_call() const { return last_call_; }
  void abort(const std::string& why);
  // Waits for the end of everything inside, judges and compares.
  report::Report land();

 private:
  void ready(const std::string& namespaces);

  const scenario::Scenario& scenario_;
  const Options& options_;
  Gathered gathered_;
  Listener listener_;
  sys::Descriptor records_, go_;
  std::int64_t began_ns_ = 0;
  sys::Deadline last_call_;
  std::unique_ptr<sandbox::Sandbox> sandbox_;
};

// The lab's own failure as a report: error, skipped or an invalid scenario.
report::Report failed(const scenario::Scenario& scenario, Failure kind, const std::string& reason);

}  // namespace lab::run
