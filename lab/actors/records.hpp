// What the actors of one table of the scenario file tell init: steps, readiness, failures, requests. Shared memory,
// written without system calls.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "actors/actor.hpp"
#include "actors/futex.hpp"
#include "actors/shared.hpp"

namespace lab::actors {

enum class Listening : std::uint32_t { not_yet, open, failed };
enum class Failed : std::uint32_t { no, writing, lab, program };

// An operator's request to init, one at a time.
struct Request {
  enum State : std::uint32_t { idle, claimed, asked, answered };
  Word state;
  std::uint32_t index;  // of the step
  std::int32_t error;   // the answer: 0 or an errno
};

// At the head of the memory.
struct Front {
  Word listening;  // Listening
  Word failed;     // Failed
  char failure[1024];
  Word started;      // whoever was forked ahead goes on
  Word arrived, go;  // clients start together
  Request request;
};

// One instance: its own turns follow it.
struct InstanceFront {
  Word pid, arrived;
  std::atomic<std::uint64_t> turns;  // begun
  StepRecord listen, spawn;          // pseudo-steps; Outcome::not_reached: nothing to tell
};

class Records {
 public:
  // `steps`: of the flattened list. `repeat`: nothing for "forever".
  Records(std::uint32_t instances, std::uint32_t steps, std::optional<std::uint64_t> repeat);

  Front& front() const { return *reinterpret_cast<Front*>(memory_.data()); }
  InstanceFront& instance(std::uint32_t number) const;
  std::uint32_t instances() const { return instances_; }

  void begin_turn(std::uint32_t instance, std::uint64_t turn);
  // Null: the turn is not kept, or not any more.
  StepRecord* at(std::uint32_t instance, std::uint64_t turn, std::uint32_t index) const;
  std::vector<std::uint64_t> kept_turns(std::uint32_t instance) const;  // in order
  void count(const StepRecord& record, int by = 1);
  std::vector<Tally> tallies() const;  // step not filled in

  // The first failure stays.
  void fail(Failed kind, std::string_view text);
  std::string failure() const;
  Failed failed() const { return static_cast<Failed>(front().failed.load(std::memory_order_acquire)); }

  // `instance` is there, or will never be; the last one of all lets everyone go.
  void arrive(std::uint32_t instance);

 private:
  struct Turn;
  std::byte* turn_address(std::uint32_t instance, std::uint64_t turn) const;
  struct Count;
  Count* counts(std::uint32_t index) const;

  std::uint32_t instances_, steps_;
  std::uint64_t first_turns_, last_turns_;
  std::size_t turn_bytes_, instance_bytes_, instances_at_, counts_at_;
  Mapping memory_;
};

// "ok", "5 bytes", "eof", "ECONNRESET", "stopped" while it runs.
std::string text_of(const StepRecord& record);

// The writer's side of one record. Constructed when the step begins; the step is running until one of the others is
// called.
class Entry {
 public:
  Entry(Records& records, std::uint32_t instance, std::uint64_t turn, const StepRecord& beginning);

  StepRecord& fields() { return *record_; }
  void end(Outcome outcome, int error = 0, std::int64_t bytes = -1);
  void ok() { end(Outcome::ok); }
  void failed(int error, Via via = Via::verb);
  // A step that leaves its process's steps for good (exec) is ok before it begins; this takes that back.
  void came_back(int error);

 private:
  Records& records_;
  StepRecord spare_;  // where a turn that is not kept writes
  StepRecord* record_;
};

}  // namespace lab::actors
