// Where a timeline comes from, and how the collectors that made it fared.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace lab::evidence {

// How a collector fared: what the report's "collectors" lists.
struct Collector {
  std::string name;  // a source's name
  bool on = false;
  std::string why;  // when off, the reason; when on, what it left out or disturbed
  std::uint64_t events = 0, lost = 0;
  bool disturbs = false;  // it changed the timing of what it watched (ptrace)
  bool operator==(const Collector&) const = default;
  template <class A>
  void fields(A& a) {
    a("name", name);
    a("on", on);
    a("why", why);
    a("events", events);
    a("lost", lost);
    a("disturbs", disturbs);
  }
};

// First line of an evidence file.
struct Provenance {
  int format = 1;
  std::string version, kernel, machine, command, clock = "CLOCK_MONOTONIC",
                                                 scenario;  // scenario: a label, never evidence
  std::int64_t started_ns = 0, ended_ns = 0;
  std::int64_t realtime_offset_ns = 0;  // CLOCK_REALTIME minus CLOCK_MONOTONIC at the start
  bool root = false;
  std::vector<Collector> collectors;
  bool operator==(const Provenance&) const = default;
  template <class A>
  void fields(A& a) {
    a("format", format);
    a("version", version);
    a("kernel", kernel);
    a("machine", machine);
    a("command", command);
    a("clock", clock);
    a("scenario", scenario);
    a("started", started_ns);
    a("ended", ended_ns);
    a("realtime_offset", realtime_offset_ns);
    a("root", root);
    a("collectors", collectors);
  }
};

}  // namespace lab::evidence
