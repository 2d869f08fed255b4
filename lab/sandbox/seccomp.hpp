// Seccomp: filters compiled by libseccomp, loaded with seccomp(2), and the notifier that answers what a static
// filter can't count. man 2 seccomp, seccomp_unotify.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scenario/types.hpp"
#include "system/descriptor.hpp"

namespace lab::sandbox {

// A compiled filter: an array of struct sock_filter as bytes, and whether some rule needs the notifier
// (errno, stall, and everything with `when`; a fallback of errno or stall too).
struct Filter {
  std::vector<std::uint8_t> program;
  bool notifies = false;
};
// Compiled before the fork, so that mistakes surface in init. Throws LabError with libseccomp's reason.
Filter compile(const scenario::Seccomp& seccomp);

// Loads `filter` into the calling thread (no-new-privileges must be set). With notifies, returns the listener
// (SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV where the kernel has it); else an invalid descriptor.
sys::Descriptor load(const Filter& filter);

// What the notifier saw and answered.
struct Answered {
  std::int64_t t_ns = 0;
  int pid = 0, tid = 0;
  std::string call;
  std::string action;  // "errno", "stall", "kill-process", "kill-thread", "allow" (counted, not matched)
  int error = 0;
  std::uint64_t count = 0;  // which call under its rule this was, over the role's threads and children
  std::uint64_t args[6] = {};
  std::size_t rule = 0;  // index in Seccomp::rules; rules.size(): the fallback
};

// The listening side, one for each role (counts are the role's). Lives in init; never blocks.
class Notifier {
 public:
  // `report` is called for every call that was answered with anything but "go on", before the answer is sent.
  // `exempt_exec_of`: the first execve of these pids passes whatever the rules say (the start of the program itself).
  Notifier(scenario::Seccomp seccomp, std::function<void(const Answered&)> report);
  ~Notifier();
  void adopt(sys::Descriptor listener, int pid, bool exempt_first_exec);  // one a process
  std::vector<int> descriptors() const;                                   // to poll for POLLIN
  void serve(int descriptor);                   // receives and answers one call; drops a listener that has hung up
  std::uint64_t fired(std::size_t rule) const;  // how often a rule acted
 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Names libseccomp knows ("accept4"); for check time. The kernel's number, -1 when unknown.
int call_number(const std::string& name);
std::string call_name(int number);

}  // namespace lab::sandbox
