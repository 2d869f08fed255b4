// System calls of outside programs by ptrace, where there is no root for BPF. Lives in the sandbox's init, in its one
// loop; needs no privilege. It slows down what it watches and changes races: its account says so.
//
// Same calls, same events as kernel.hpp's (syscalls_table.cpp, syscalls_judge.h), and who sent a signal. What is not
// seen: calls that never return and are none of the table's are looked up in /proc when the run ends; 32-bit programs;
// io_uring.
//
// How run/ wires it. Before the fork, in init:
//     auto gate = std::make_shared<TraceGate>();          // one for each Actor::start()
// in the child, in Prepare:
//     gate->pass();                       // first of all: returns once init traces this process
//     … confine() …                       // no-new-privileges, limits, identity
//     tracer.load_filter();               // then, before the scenario's own filter, which may forbid seccomp(2)
//     … sandbox::load(scenario's filter) …
//     execve                              // what comes before the first execve that succeeds makes no event
// in init, after the fork:
//     for (pid : pids) tracer.adopt(pid);
//     gate->open();
// in init's reaper, for each result of waitpid(-1, &status, __WALL | WNOHANG), without WUNTRACED:
//     if (tracer.handle(pid, status, sink)) continue;     // a ptrace stop; the task goes on
//     … the pid has ended: main processes, orphans, and the programs' own threads and children, which only a tracer
//     sees
// SIGCHLD tells of stops as well as of ends, so the loop that reaps on it serves the tracer too. Nothing in init may
// block on something a traced child has to do: the child may be in a stop.
// at the end of the run, while the actors still exist:
//     tracer.finish(sink);
// A tracer that dies takes its tracees with it (PTRACE_O_EXITKILL; and init's death is the sandbox's).
//
// man ptrace, seccomp. A filter's ERRNO, TRAP, KILL and notification all outrank TRACE: of such calls the tracer is not
// told. So a task that loads a filter behind the tracer's (the scenario's, or one of its own) is stopped from then on
// at every call, before any filter is asked; that costs two stops a call. `every_call` does so from the start.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "evidence/event.hpp"
#include "system/descriptor.hpp"

namespace lab::evidence {

// Holds forked children back until init has seized them. One pipe: its end of file is the signal.
class TraceGate {
 public:
  TraceGate();
  void pass();  // child: blocks; throws LabError when init is gone
  void open();  // init

 private:
  sys::Descriptor read_, write_;
};

class CallTracer {
 public:
  // Throws Unavailable with the reason.
  CallTracer();
  ~CallTracer();
  static std::string why_not();  // "" where it can; asks only, traces nothing

  void load_filter() const;                        // in the child. Throws KernelError
  void adopt(pid_t pid, bool every_call = false);  // a child of this process, held back by a gate. Throws KernelError
  // True when it was a ptrace stop. Never blocks; a task that has gone meanwhile is no error.
  bool handle(pid_t pid, int status, Sink& sink);
  // Reports the calls that tasks are still in, and the last of those that were left out. No calls after that.
  void finish(Sink& sink);
  std::vector<Collector> accounts() const;  // "syscalls" and "signals"

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::evidence
