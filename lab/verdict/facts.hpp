// What a timeline comes to: plain facts folded from its events. One Conn for each connection, one Process for each
// process, and what moved in the system. Nothing here grows with the number of packets.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/facts/conn.hpp"
#include "verdict/facts/process.hpp"

namespace lab::verdict {

struct ChangeFacts {
  evidence::Change change;
  Mark at;
};
struct FactFacts {
  evidence::SystemFact fact;
  Mark at;
};
struct CounterFacts {
  std::int64_t change = 0;
  Mark at;
};

struct Source {
  bool on = false;
  std::uint64_t lost = 0, events = 0;
  std::string why;
  bool disturbs = false;
};

Both<Progress> progress_of(const Conn& conn);

// That the first byte that an eater kept had been written by then; its stream's first number is known. The rule trace
// has no time of its own.
bool written_by(const Conn& conn, const Hits& hits, const Both<Progress>& then);

// Whether an end that waits in this call is owed bytes. The client is when it has said something since it last heard
// something, or never heard anything; a server is owed nothing: a client may come, stay silent and go.
bool is_owed(const Acts& acts, Who who, const Deed& deed);

struct Facts {
  std::deque<Conn> conns;
  std::map<int, Process> processes;
  std::vector<Listener> listeners;
  std::map<RuleKey, RuleFacts> rules;
  std::vector<ChangeFacts> changes;
  std::vector<FactFacts> facts;
  std::map<std::string, std::map<std::string, CounterFacts, std::less<>>> counters;  // by namespace
  std::map<std::string, Source, std::less<>> sources;
  std::set<std::string> wire_namespaces;
  std::vector<TooBigEaten> too_big;
  std::vector<KernelReset> stray_resets;  // built for a socket whose address was not told
  // Kernels that give reasons tell of resets without a socket, too; those before (6.10) do not (net/ipv4/tcp_ipv4.c,
  // tcp_v4_send_reset).
  bool resets_reasoned = false;
  std::map<std::string, std::uint64_t> wire_resets;  // resets seen leaving, by namespace
  Mark clients_ended, unstarted, stopping;           // unstarted: the run ended before every program had its turn
  std::int64_t first_ns = 0, last_ns = 0;
  bool any_connect = false;  // somebody called connect()

  // The source runs; and: it runs and lost nothing, so that absence proves something.
  bool on(std::string_view source) const;
  bool complete(std::string_view source) const;
  // Sum over namespaces; 0 when the counter is not there.
  std::int64_t counter(std::string_view name) const;
  Mark counter_mark(std::string_view name) const;
  const Process* process(int pid) const;
};

}  // namespace lab::verdict
