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

// What a call meets, for rules that name calls only:
//
// - Of the rules that name it, the first in the file's order whose `when` holds (or that has none) decides; else the
//   fallback. One filter gives each call one answer, so the kernel's precedence among actions never plays a part.
// - Static where that is possible: kill-process, kill-thread, trap, log and allow in first place. Everything else asks
//   the notifier, which walks the same order. There kill-process sends SIGSYS as the filter would (SIGKILL to a process
//   that blocks, catches or ignores it). kill-thread and trap can't be answered by a notifier: behind a rule of errno,
//   stall or `when` for the same call they are refused by compile().
// - Never met by any rule: system/exempt.hpp's calls (the start of the program itself, an actor's bookkeeping).
// - Met only by rules that name them, not by the fallback: exit, exit_group, rt_sigreturn, restart_syscall; and for
// step
//   actors what the C library and the interpreter do on their own (memory, futexes, signal masks, threads' start and
//   end): an allow-list for steps lists the calls that its verbs stand for. A program's lists all that it and its
//   loader call.
//
// A 32-bit program on a 64-bit kernel makes calls the filter does not know by number: the fallback decides (allow for
// errno and stall).

// A compiled filter: an array of struct sock_filter as bytes, and whether some call asks the notifier.
struct Filter {
  std::vector<std::uint8_t> program;
  bool notifies = false;
};
// Compiled before the fork, so that mistakes surface in init. `program`: of an actor that runs one. Throws LabError
// with libseccomp's reason.
Filter compile(const scenario::Seccomp& seccomp, bool program = false);

// Loads `filter` into the calling thread (no-new-privileges must be set). With notifies, returns the listener
// (SECCOMP_FILTER_FLAG_NEW_LISTENER | WAIT_KILLABLE_RECV where the kernel has it); else an invalid descriptor. From
// here on any call of this thread may be met: see Notifier::install(), which does the rest as well.
sys::Descriptor load(const Filter& filter);

// What the notifier saw and answered.
struct Answered {
  std::int64_t t_ns = 0;
  int pid = 0, tid = 0;
  std::string call;
  std::string action;  // "errno", "stall", "kill-process", "log"
  int error = 0;
  std::uint64_t count = 0;  // which of the calls its rule names this was, over the role's threads and children
  std::uint64_t args[6] = {};
  std::size_t rule = 0;  // index in Seccomp::rules; rules.size(): the fallback
};

// The listening side, one for each role (counts are the role's). Made in init before the fork; never blocks.
//
//   init:   Notifier notifier(…);  Filter filter = compile(…);  fork
//   child:  confine({… .keep = {notifier.mailbox()}});  notifier.install(filter);  its steps or exec
//   init:   polls descriptors() for POLLIN, calls serve(fd) for those that are ready
//
// The child does not wait for init: its first call that asks is answered once init has taken the listener in.
class Notifier {
 public:
  // `report` is called for every call that was answered with anything but "go on", before the answer is sent.
  Notifier(scenario::Seccomp seccomp, std::function<void(const Answered&)> report);
  Notifier(Notifier&&) noexcept;
  ~Notifier();

  int mailbox() const;  // the children's way to hand over a listener; keep it open through confine()
  // In the child, after confine(): loads the filter, hands its listener over and closes the mailbox, with calls that no
  // filter meets. Also for a filter that does not notify.
  void install(const Filter& filter) const;

  // For a listener that came another way. `exempt_first_exec`: the first execve of `pid` that asks passes, uncounted.
  void adopt(sys::Descriptor listener, int pid, bool exempt_first_exec = false);
  std::vector<int> descriptors() const;  // to poll for POLLIN: the mailbox's other end and every listener
  // Takes in listeners, or receives and answers one call, or drops a listener whose processes are gone. A descriptor
  // that is not ready, or not of descriptors() any more, does nothing.
  void serve(int descriptor);
  // How often a rule acted; rules.size(): the fallback. Static answers (kill, trap, log without `when`) are not seen
  // here.
  std::uint64_t fired(std::size_t rule) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Names libseccomp knows ("accept4"); for check time. The kernel's number, -1 when unknown.
int call_number(const std::string& name);
std::string call_name(int number);

}  // namespace lab::sandbox
