// What the call tracer knows of the tasks it traces. Internal to ptrace*.cpp.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>

#include "evidence/collectors/ptrace_tracee.hpp"
#include "evidence/collectors/syscalls.hpp"
#include "evidence/collectors/syscalls_repeats.hpp"
#include "evidence/collectors/syscalls_restarts.hpp"
#include "system/descriptor.hpp"

namespace lab::evidence {

// A thread.
struct Tracee {
  pid_t process = 0;
  bool every_call = false;
  bool inside = false;   // in the call `call` is about
  bool exiting = false;  // `call` is its last
  raw_call call{};
  int fd = -1;
  bool tcp = false;
  Ends ends;
};

// What its threads share.
struct Program {
  sys::Descriptor process;  // pidfd
  bool stopped = false;
  bool started = false;  // it, or what it was forked from, has called execve
  std::map<int, Ends>
      connections;  // last known, by descriptor: getpeername(2) knows no peer once a connection has died
};

struct CallTracer::State {
  std::map<pid_t, Tracee> tracees;
  std::map<pid_t, Program> programs;
  Repeats repeats;
  Restarts restarts;
  std::uint64_t calls = 0, signals = 0, left_out = 0;
  bool finished = false, foreign = false, io_uring = false;
  bool hidden = false;  // a descriptor of a task that lives could not be looked at

  Tracee& tracee(pid_t tid);
  Program& program(pid_t process);
  void resume(pid_t tid, int signal = 0);
  void event(pid_t tid, int number, int signal, Sink& sink);
  void forked(pid_t tid);
  void executed(pid_t tid);
  void dying(pid_t tid, Sink& sink);
  void stopped(pid_t tid, bool now_stopped, Sink& sink);
  void delivered(pid_t tid, int signal, Sink& sink);
  void entered(pid_t tid, const CallStop& stop, Sink& sink);
  void left(pid_t tid, std::int64_t result, Sink& sink);
  void find_connection(Tracee& tracee, int fd);
  void find_doubled(Tracee& tracee);
  void find_spliced(Tracee& tracee);
  void copy_memory(pid_t tid, raw_call& call);
  void tell(Sink& sink, const SeenCall& call);
  void put(Sink& sink, Event event);
};

}  // namespace lab::evidence
