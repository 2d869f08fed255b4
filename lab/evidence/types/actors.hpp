// The processes that the run started, what they did and how they ended.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- actors: a process that the run started.
struct ProcessStart {
  int pid = 0;
  std::string role, actor;  // labels for people; never evidence
  std::uint32_t instance = 0;
  std::string program;              // argv[0], "" for steps
  std::vector<std::string> limits;  // "nofile=16", … as the process got them
  bool operator==(const ProcessStart&) const = default;
  template <class A>
  void fields(A& a) {
    a("pid", pid);
    a("role", role);
    a("actor", actor);
    a("instance", instance);
    a("program", program);
    a("limits", limits);
  }
};

// ---- actors: one step, written when it ended (t_ns is its end) or, with outcome "stopped", when the run ended.
struct StepDone {
  std::string role, actor;
  std::uint32_t instance = 0, index = 0;  // index: position among the actor's steps; order of execution
  int pid = 0, tid = 0;
  std::string verb, step;   // "recv", "recv 64"
  std::string call;         // the system call the verb stands for: "recvfrom"
  std::string outcome;      // "ok", "5 bytes", "eof", "timeout", "ECONNRESET", "not reached", "stopped", …
  int error = 0;            // errno, 0: none
  std::int64_t bytes = -1;  // -1: does not apply
  std::int64_t start_ns = 0, end_ns = 0;  // 0: never began, never ended
  std::int64_t got_ns = 0;                // recv-until-eof: when its last bytes came; 0: none
  int fd = -1;
  Address local, peer;        // of the connection it acted on, where known
  bool linger_reset = false;  // it asked for a reset (SO_LINGER 0, disconnect)
  bool operator==(const StepDone&) const = default;
  template <class A>
  void fields(A& a) {
    a("role", role);
    a("actor", actor);
    a("instance", instance);
    a("index", index);
    a("pid", pid);
    a("tid", tid);
    a("verb", verb);
    a("step", step);
    a("call", call);
    a("outcome", outcome);
    a("error", error);
    a("bytes", bytes);
    a("start", start_ns);
    a("end", end_ns);
    a("got", got_ns);
    a("fd", fd);
    a("local", local);
    a("peer", peer);
    a("lingerreset", linger_reset);
  }
};

// ---- actors: a process ended.
struct ProcessExit {
  int pid = 0;
  std::string role, actor;
  std::uint32_t instance = 0;
  int status = 0;  // exit status, when signal is 0
  int signal = 0;  // the signal that killed it
  bool core = false;
  bool by_lab = false;  // the lab stopped it at the end of the run: never a cause
  bool operator==(const ProcessExit&) const = default;
  template <class A>
  void fields(A& a) {
    a("pid", pid);
    a("role", role);
    a("actor", actor);
    a("instance", instance);
    a("status", status);
    a("signal", signal);
    a("core", core);
    a("bylab", by_lab);
  }
};

// ---- actors: what a program wrote (a line, or as it came).
struct Output {
  std::string role, actor;
  std::uint32_t instance = 0;
  bool error = false;  // standard error
  std::string text;
  bool operator==(const Output&) const = default;
  template <class A>
  void fields(A& a) {
    a("role", role);
    a("actor", actor);
    a("instance", instance);
    a("stderr", error);
    a("text", text);
  }
};

}  // namespace lab::evidence
