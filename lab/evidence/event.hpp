// What was seen. One event type for every source; the timeline is a sequence of them.
//
// Nothing here knows of scenarios: a file of these events can come from anywhere, and the verdict is
// a function of them alone. Each type lists its fields once, in fields(), which is what the JSON form
// (file.hpp) and the binary form (wire format between the sandbox and lab) are made from.
//
// Times are CLOCK_MONOTONIC nanoseconds. Process ids are those of the sandbox's pid namespace; a source
// that sees the host's (BPF) translates them.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "evidence/types/actors.hpp"
#include "evidence/types/processes.hpp"
#include "evidence/types/provenance.hpp"
#include "evidence/types/rules.hpp"
#include "evidence/types/sockets.hpp"
#include "evidence/types/system.hpp"
#include "evidence/types/wire.hpp"

namespace lab::evidence {

using What = std::variant<Segment, IcmpError, TraceHit, RuleState, SocketState, Counter, ProcessStart, StepDone,
                          ProcessExit, Output, SignalSent, ProcessState, Call, FilterAct, LimitState, KernelEvent, Flow,
                          Change, SystemFact, Milestone>;

struct Event {
  std::int64_t t_ns = 0;
  bool read_time = false;  // the source has no timestamps; t_ns is when the event was read
  What what;
  bool operator==(const Event&) const = default;
};

// The source's name as reports print it: "wire", "nft-trace", "rules", "sockets", "counters", "actors", "signals",
// "processes", "syscalls", "filters", "limits", "kernel", "conntrack", "changes", "system", "lab".
std::string_view source_of(const What& what);
// The type's own name in the file: "segment", "icmp", "trace", "rule", "socket", …
std::string_view kind_of(const What& what);

// What a run leaves: events in order of time.
struct Timeline {
  Provenance provenance;
  std::vector<Event> events;
};

// Where collectors put what they see. Never throws; keeps no reference to its argument.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void put(Event event) = 0;
};

}  // namespace lab::evidence
