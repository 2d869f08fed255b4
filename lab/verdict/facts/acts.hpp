// What programs did: steps and system calls in one form.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "verdict/facts/place.hpp"

namespace lab::verdict {

// ---- acts: steps and system calls alike

enum class Kind : std::uint8_t {
  connect,
  accept,
  read,
  write,
  shut,
  close,
  reset,
  listener_close,
  poll,
  pause,
  spawn,
  memory,
  descriptor,
  file,
  exec,
  exit,
  other
};

struct Deed {
  Kind kind = Kind::other;
  std::string shown;  // "recv 64", "recvfrom"
  std::string call;   // the system call
  bool step = false;
  bool exact = false;    // it said how much it waits for (recv-exactly, expect)
  bool to_eof = false;   // it waits for the end of file itself
  bool pending = false;  // had not returned when the run ended, or its process died in it
  bool eof = false, timed_out = false;
  bool untold = false;   // a poll that does not tell what it waits for
  bool peeks = false;    // MSG_PEEK: what it saw stays in the queue
  bool passing = false;  // it need not have awaited bytes: an event loop's look, one that does not wait
  bool linger_reset = false;
  bool lingers = false;  // it set SO_LINGER to anything but a reset
  bool began = true;     // false: a filter answered it
  int pid = 0, tid = 0, fd = -1, error = 0;
  std::int64_t bytes = -1, start = 0, end = 0;
  std::int64_t got = 0;  // to_eof: when its last bytes came; 0: not told, or none
  // How long its thread had waited for a CPU in its life by the end and by the start, in ns; -1: not told.
  std::int64_t queued = -1, start_queued = -1;
  std::uint32_t index = 0;  // of a step among its actor's
  Mark mark;
};

// What a thread did on connections when something had failed it: on each of the first few the first success, and the
// first close.
struct Sequel {
  struct Step {
    std::size_t conn = Mark::nowhere;
    std::int64_t t = 0;
    bool closes = false;
  };
  std::vector<Step> steps;
  std::optional<std::int64_t> next;  // when its thread began its next step, whatever that was
};

// What the holders of one end did with it.
struct Acts {
  bool any = false;
  std::uint64_t read = 0, written = 0;                     // bytes
  Mark first, last_read, last_write, connected, accepted;  // with more than 0 bytes
  Mark met_end;                                            // a read of its met end of file
  Mark asked_reset;                                        // SO_LINGER 0, not taken back, or a disconnect
  std::optional<Deed> connect;                             // the last connect()
  std::optional<Deed> pending;                             // the read or write that never returned
  std::vector<Deed> closers;                               // close, shutdown, reset, exec: the first eight
  std::optional<Deed> last;
  std::optional<Deed> idle;  // looks for bytes that found none, from the first to the last: none came since
  std::set<int> pids;
  std::set<int> users;    // of them: who read or wrote
  std::set<int> doubled;  // of them: who made a further descriptor for it
  std::set<int> threads;  // who called anything there

  // It closed its descriptor, and made no other for the connection.
  bool let_go(int pid) const {
    return !doubled.contains(pid) && std::any_of(closers.begin(), closers.end(), [&](const Deed& deed) {
      return deed.pid == pid && deed.kind == Kind::close;
    });
  }
};

}  // namespace lab::verdict
