// Processes as the kernel sees them: signals, stops, system calls, filters, limits.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- signals: one process sent another a signal, where a source could know (BPF signal_generate, siginfo of a traced
// process).
struct SignalSent {
  int signal = 0, target = 0;
  int sender = 0;  // 0: the kernel, or outside the sandbox
  std::string sender_name;
  bool by_kernel = false;  // raised by the target's own fault or by a limit
  bool by_lab = false;
  bool operator==(const SignalSent&) const = default;
  template <class A>
  void fields(A& a) {
    a("signal", signal);
    a("target", target);
    a("sender", sender);
    a("name", sender_name);
    a("kernel", by_kernel);
    a("bylab", by_lab);
  }
};

// ---- processes: a stop that lasts (stopped by a signal, or frozen), seen in /proc or the freezer.
struct ProcessState {
  int pid = 0;
  std::string state;  // "stopped", "frozen", "running", "sleeping", "traced"
  std::string wait;   // what it waits in (wchan or system call), where known
  std::uint64_t cpu_ns = 0;
  std::uint32_t descriptors = 0, threads = 0;
  std::string when;  // "change", "end"
  bool operator==(const ProcessState&) const = default;
  template <class A>
  void fields(A& a) {
    a("pid", pid);
    a("state", state);
    a("wait", wait);
    a("cpu", cpu_ns);
    a("fds", descriptors);
    a("threads", threads);
    a("when", when);
  }
};

// ---- system calls of outside programs. t_ns is the return (or the entry, while it has not returned).
struct Call {
  int pid = 0, tid = 0;
  std::string name;
  std::string args;         // what matters of them, as strace would print it
  std::int64_t result = 0;  // what the call returned, when error is 0
  int error = 0;
  bool returned = true;  // false: still inside when the run ended, or died in it
  std::int64_t start_ns = 0;
  int fd = -1;                // the descriptor it acted on or, for accept and socket, made
  Address local, peer;        // of that descriptor's connection, where known
  bool linger_reset = false;  // setsockopt SO_LINGER {1, 0} or connect AF_UNSPEC
  std::string target;         // other object: a child's pid, a path, a signal
  // False: it failed without having begun, which is how a seccomp filter answers (kernel/entry/common.c asks it before
  // the call's own tracepoint). Known from BPF alone.
  bool began = true;
  // How long its thread had waited for a CPU in its life, by the time that the call returned (or began, while it has
  // not) and when it began: the second number of /proc/PID/task/TID/schedstat
  // (Documentation/scheduler/sched-stats.rst). -1: not told. Known from BPF alone.
  std::int64_t queued_ns = -1, start_queued_ns = -1;
  bool operator==(const Call&) const = default;
  template <class A>
  void fields(A& a) {
    a("pid", pid);
    a("tid", tid);
    a("name", name);
    a("args", args);
    a("result", result);
    a("error", error);
    a("returned", returned);
    a("start", start_ns);
    a("fd", fd);
    a("local", local);
    a("peer", peer);
    a("lingerreset", linger_reset);
    a("target", target);
    a("began", began);
    a("queued", queued_ns);
    a("startqueued", start_queued_ns);
  }
};

// ---- filters: a seccomp filter answered a call.
struct FilterAct {
  int pid = 0, tid = 0;
  std::string call;
  std::string action;  // "errno", "stall", "kill-process", "kill-thread", "trap", "log"
  int error = 0;
  std::uint64_t count = 0;  // which call of its kind this was, where counted
  std::string args;
  int fd = -1;          // the call's first argument, where it is a descriptor
  Address local, peer;  // of that descriptor's connection, where known
  bool operator==(const FilterAct&) const = default;
  template <class A>
  void fields(A& a) {
    a("pid", pid);
    a("tid", tid);
    a("call", call);
    a("action", action);
    a("error", error);
    a("count", count);
    a("args", args);
    a("fd", fd);
    a("local", local);
    a("peer", peer);
  }
};

// ---- limits: a limit in force on a process, and how far it was used when a call failed or the process died.
struct LimitState {
  int pid = 0;
  std::string name;  // "nofile", "nproc", "as", "fsize", "cpu", "cgroup.memory", "cgroup.pids"
  std::uint64_t limit = 0, used = 0;
  bool hit = false;  // the kernel said so (a cgroup's event counter, SIGXCPU, SIGXFSZ)
  bool operator==(const LimitState&) const = default;
  template <class A>
  void fields(A& a) {
    a("pid", pid);
    a("name", name);
    a("limit", limit);
    a("used", used);
    a("hit", hit);
  }
};

}  // namespace lab::evidence
