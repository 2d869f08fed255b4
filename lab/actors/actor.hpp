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
// Runs in the child; an exception ends it with a message on `failure`, read by init: the lab's failure, not the
// subject's. `keep_fd` must stay open through it (-1: nothing to keep). It is a high number, above any limit's reach
// and out of the way of the actor's own, and gone before the first step.
using Prepare = std::function<void(const scenario::Actor& actor, std::uint32_t instance, int keep_fd)>;

// What a run tells its actors.
struct Context {
  scenario::Endpoint server;  // where `connect` goes without HOST:PORT; LAB_HOST and LAB_PORT of programs
  std::string folder;         // the scenario file's: where programs are run; "" stays in init's
};

// The system call that a record is about, where it is not the verb's own: connect that ended in socket(2), say.
enum class Via : std::uint8_t { verb, socket, setsockopt, bind, listen, clone3, openat, write };

// One step's record in shared memory: written by the actor without a system call, read by init at any time.
//
// Repeats: the first and the last turns of each instance are kept, each half of what fits in 65,536 records an actor
// (all of them where they fit), so that `repeat = "forever"` has an end to its memory; tallies() counts every turn.
struct StepRecord {
  std::uint32_t index = 0;        // which step of the flattened list: a body's steps follow their fork or start-thread
  std::uint32_t turn = 0;         // which repeat of the actor
  std::int32_t pid = 0, tid = 0;  // as the actor sees itself
  std::int64_t start_ns = 0, end_ns = 0;  // 0: not yet
  std::int64_t got_ns = 0;                // when its last bytes came, where it reads until the end of file; 0: none
  std::int32_t error = 0;                 // errno
  std::int64_t bytes = -1;
  std::uint8_t outcome = 0;  // Outcome below
  std::int32_t fd = -1;
  std::uint8_t local_family = 0, peer_family = 0;
  std::uint8_t local_ip[16] = {}, peer_ip[16] = {};
  std::uint16_t local_port = 0, peer_port = 0;
  bool linger_reset = false;  // it asked for a reset: SO_LINGER 0 set, or inherited from the listener
  Via via = Via::verb;
};
enum class Outcome : std::uint8_t { not_reached, running, ok, bytes, eof, timeout, mismatch, error };

// A step as init reports it, at the end of the run.
struct Reported {
  const scenario::Step* step = nullptr;
  std::uint32_t instance = 0;
  StepRecord record;
  std::string call;     // the system call the verb stands for, or the one that failed in its place
  std::string outcome;  // "ok", "5 bytes", …; "stopped" when it was still running at the end
  bool pseudo = false;  // not in the file, and only there when it failed: "listen" (the listener could not be
                        // made), "start-thread" (one of `parallel` could not be started)
};

// How often a step ended in an outcome, over all turns and instances.
struct Tally {
  const scenario::Step* step = nullptr;
  std::uint32_t index = 0;
  std::string outcome;  // "bytes" stands for any number of them
  std::uint64_t count = 0;
};

struct Ended {
  pid_t pid = 0;
  int status = 0;  // wait status
};

class OperatorActs;  // operator.hpp

// One actor of the scenario with all its instances. Made before the run starts (shared memory), started by init.
//
// Instances: a program and a client of steps is a process for each of `parallel`. More than 64 clients whose steps
// can't tell a thread from a process (no limits, no filter, no fork, exec, exit, raise, …) are threads of one process;
// each closes what it has open at its end, as a process would. A server's `parallel` are accepting threads of one
// process: instance 0 is its main thread. Clients of steps start together, once all of them are there.
//
// An actor of steps has descriptors 0, 1 and 2 at its first step (a server then opens its listener: 3), every signal at
// its default but SIGPIPE, which is ignored so that a write to a dead connection is EPIPE (`option sigpipe 1`: it
// kills). Descriptors it makes are inherited by exec, as in C (`option cloexec 1`). At its end it waits for its
// threads, then exits with 0 and closes nothing.
class Actor {
 public:
  // `what` must outlive this.
  Actor(const scenario::Actor& what, Context context);
  Actor(const scenario::Actor& what, const scenario::Endpoint& server);
  ~Actor();
  Actor(Actor&&) noexcept;

  // Who does an operator's steps of the last row (add-rules … kill): called in init, from drain(). Before start().
  void serve(OperatorActs& acts);

  const scenario::Actor& what() const;
  // Forks every instance (clients: `parallel` processes, or threads of one where the steps are such; servers: one
  // process with `parallel` accepting threads). Returns their pids. Steps' listeners are open when ready() says so.
  std::vector<pid_t> start(const Prepare& prepare);
  // Of an actor of steps: forks what start() would fork. Each is prepared and then waits for start().
  void fork_ahead(const Prepare& prepare);
  // Readable when a byte of readiness (servers by steps: listening), a line of output or a message of failure is there.
  std::vector<int> descriptors() const;
  // Takes what is there. `output`: whole lines of a program, or what it had when it ended.
  void drain(const std::function<void(std::uint32_t instance, bool error, std::string text)>& output);
  bool ready() const;  // the listener of steps is open or has failed (programs: run/ decides by socket diagnostics)
  std::string failure() const;      // the lab's own failure in a child, "" for none
  bool failure_of_program() const;  // the failure is that the program can't be started: the scenario's mistake
  bool owns(pid_t pid) const;       // an instance's main process
  std::uint32_t instance_of(pid_t pid) const;
  void ended(pid_t pid, int status);
  bool all_ended() const;
  std::vector<Ended> endings() const;
  std::vector<Reported> report()
      const;  // every step of every instance, those not reached too; by instance, turn, index
  std::vector<Tally> tallies() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The blackboard of `signal` and `wait`: shared memory and futexes, made once before any actor.
class Board {
 public:
  static Board& shared();  // of this sandbox; made on first use, in init, before the first fork
  Board();
  Board(Board&&) noexcept;
  ~Board();
  void declare(const std::string& name);  // before the fork of whoever uses it; actors declare what their steps name
  int signal(const std::string& name);    // 0, or the errno of a filter's for futex(2): nobody was woken
  void wait(const std::string& name);     // until it was signalled; passes at once when it was
  bool is_set(const std::string& name) const;
  void clear();  // nothing is set any more; while nobody waits

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The system call that a verb stands for ("recv": "recvfrom"), "" for none.
std::string call_of(scenario::Verb verb);

}  // namespace lab::actors
