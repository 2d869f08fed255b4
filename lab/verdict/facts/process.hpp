// A process, what failed in it, what befell it; and who listens.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evidence/event.hpp"
#include "verdict/facts/acts.hpp"

namespace lab::verdict {

struct Trouble {  // a call that failed for want of something, or because a filter said so
  Deed deed;
  bool filtered = false;
  bool known_call = false;  // the call itself was seen, not only the filter's act
  std::string filter_action;
  std::uint64_t filter_count = 0;
  Mark filter_at;
  Address local, peer;
  std::size_t conn = Mark::nowhere;  // on this very connection
  Who who = Who::server;
  Mark made_good;  // the same call succeeded then
  Sequel then;
};

// A connect that failed, but for those of a datagram socket.
struct FailedConnect {
  Deed deed;
  bool local = false;                // an AF_UNIX socket's
  std::size_t conn = Mark::nowhere;  // that never came about
  Sequel then;
};

struct SignalFacts {
  evidence::SignalSent sent;
  Mark at;
};

struct LimitFacts {
  evidence::LimitState state;
  Mark at;
  std::map<std::int64_t, std::uint64_t> counts;  // cgroup.cpu: periods in which it was used up, by the time of the look
};

struct Process {
  int pid = 0, parent = 0;
  std::string label, program;      // for people only
  std::vector<std::string> given;  // limits it was started with
  Mark started, exited;
  Mark reaped;  // its parent's wait4() took its status
  Mark ending;  // its own call that ends it began
  bool by_lab = false;
  int status = 0, signal = 0;
  bool exit_begun = false;            // its exit was not told: exited is when it began to exit
  bool steps = false, calls = false;  // what it did is known from these
  bool accepts = false, connects = false;
  std::vector<SignalFacts> signals;
  std::map<std::string, LimitFacts> limits;
  std::vector<Trouble> troubles;
  Mark stopped, resumed;  // the last stop, and when it ran again
  std::string stop_state;
  std::optional<evidence::ProcessState> at_end;
  Mark at_end_mark;
  std::map<int, Deed> inside;  // by thread: a call that has not returned
  std::optional<Deed> last;
  std::optional<Deed> became;                  // its last exec
  std::optional<Deed> swept;                   // its last close_range()
  std::vector<FailedConnect> failed_connects;  // the last few
  std::set<int> children;
  std::set<Address> serves;                  // addresses that it accepted on or listened on
  std::map<Address, Deed> closed_listeners;  // the last close of each

  bool stopped_at(std::int64_t t) const { return stopped && stopped.t <= t && !(resumed && resumed.t <= t); }
};

struct Listener {
  std::string netns;
  Address local;
  Mark seen, last_seen, closed;
  std::uint32_t waiting = 0, limit = 0, most_waiting = 0;  // accept queue
  std::string options;
  std::set<int> pids;
};

}  // namespace lab::verdict
