// Who acts in a run: the step interpreter and outside programs. Lives in the sandbox's init and its children.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "scenario/types.hpp"
#include "system/descriptor.hpp"

namespace lab::actors {

// What a child does between fork and its first step or exec (identity, limits, filters, network namespace).
// Runs in the child; an exception ends it with a message on `failure`, read by init: the lab's failure, not the subject's.
// `keep_fd` must stay open through it.
using Prepare = std::function<void(const scenario::Actor& actor, std::uint32_t instance, int keep_fd)>;

// One step's record in shared memory: written by the actor without a system call, read by init at any time.
struct StepRecord {
  std::uint32_t index = 0;        // which step of the flattened list (steps of fork and start-thread bodies have their own)
  std::uint32_t turn = 0;         // which repeat of the actor
  std::int32_t pid = 0, tid = 0;  // as the actor sees itself
  std::int64_t start_ns = 0, end_ns = 0;   // 0: not yet
  std::int32_t error = 0;         // errno
  std::int64_t bytes = -1;
  std::uint8_t outcome = 0;       // Outcome below
  std::int32_t fd = -1;
  std::uint8_t local_family = 0, peer_family = 0;
  std::uint8_t local_ip[16] = {}, peer_ip[16] = {};
  std::uint16_t local_port = 0, peer_port = 0;
  bool linger_reset = false;
};
enum class Outcome : std::uint8_t { not_reached, running, ok, bytes, eof, timeout, mismatch, error };

// A step as init reports it, at the end of the run.
struct Reported {
  const scenario::Step* step = nullptr;
  std::uint32_t instance = 0;
  StepRecord record;
  std::string call;               // the system call the verb stands for
  std::string outcome;            // "ok", "5 bytes", …; "stopped" when it was still running at the end
};

struct Ended {
  pid_t pid = 0;
  int status = 0;                 // wait status
};

// One actor of the scenario with all its instances. Made before the run starts (shared memory, filters), started by init.
class Actor {
 public:
  Actor(const scenario::Actor& what, const scenario::Endpoint& server);
  ~Actor();
  Actor(Actor&&) noexcept;

  const scenario::Actor& what() const;
  // Forks every instance (clients: `parallel` processes, or threads of one where the steps are such; servers: one process
  // with `parallel` accepting threads). Returns their pids. Steps' listeners are open when ready() says so.
  std::vector<pid_t> start(const Prepare& prepare);
  // Readable when a byte of readiness (servers by steps: listening), a line of output or a message of failure is there.
  std::vector<int> descriptors() const;
  // Takes what is there. `output`: whole lines of a program, or what it had when it ended.
  void drain(const std::function<void(std::uint32_t instance, bool error, std::string text)>& output);
  bool ready() const;             // every instance's listener is open (programs: run/ decides by socket diagnostics)
  std::string failure() const;    // the lab's own failure in a child, "" for none
  bool owns(pid_t pid) const;     // an instance's main process
  std::uint32_t instance_of(pid_t pid) const;
  void ended(pid_t pid, int status);
  bool all_ended() const;
  std::vector<Ended> endings() const;
  std::vector<Reported> report() const;   // every step of every instance, those not reached too

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The blackboard of `signal` and `wait`: shared memory and futexes, made once before any actor.
class Board {
 public:
  static Board& shared();         // of this sandbox; made on first use, in init, before the first fork
  void signal(const std::string& name);
  void wait(const std::string& name);   // until it was signalled; passes at once when it was
};

// The system call that a verb stands for ("recv": "recvfrom"), "" for none.
std::string call_of(scenario::Verb verb);

}  // namespace lab::actors
