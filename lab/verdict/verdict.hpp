// Why it ended: a pure function from events to a verdict. It sees evidence, never the scenario.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "evidence/event.hpp"

namespace lab::verdict {

enum class Status { unknown, likely, confirmed };
std::string_view name_of(Status status);

struct Culprit {  // empty kind: nobody to name
  std::string
      kind;  // "rule", "process", "call", "limit", "signal", "sysctl", "peer", "route", "device", "program", "socket"
  std::string name;
  std::string table, chain, hook, family, text, place;  // rules
  std::uint64_t handle = 0;
  int pid = 0;
  std::string detail;  // errno, limit's value, signal's sender
};

struct Because {
  std::string source, text;
  std::vector<std::size_t> events;  // indices into the timeline as it was fed
};

struct RuledOut {
  std::string cause, because;
};

struct Verdict {
  std::string cause = "unknown";  // LAYER/NAME
  Status status = Status::unknown;
  std::string summary;  // one sentence
  Culprit culprit;
  std::vector<Because> because;
  std::vector<RuledOut> ruled_out;
  std::vector<std::string> next;  // what to check or change on a real system
};

// An end of a connection as it was last seen; empty state: never seen.
struct End {
  std::string state, timer, error;
  std::uint32_t unacked = 0, receive_queue = 0, send_queue = 0;
};

struct Connection {
  evidence::Address client, server;
  bool handshake = false;
  std::string by;               // "client", "server", "proxy", "nobody"
  std::string closes = "none";  // "client FIN", "server RST", "firewall RST", "injected RST", …
  End client_end, server_end;
  std::int64_t began_ns = 0, ended_ns = 0;
  Verdict verdict;
};

struct Judgement {
  Verdict run;                          // the most frequent cause of those that did not end well
  std::vector<Connection> connections;  // in order of their first SYN
};

// Feed every event in order of time, then ask once. Memory grows with connections and with events that are not
// packets, never with the number of packets of finished connections.
class Judge {
 public:
  explicit Judge(const evidence::Provenance& provenance);
  ~Judge();
  void see(const evidence::Event& event);
  Judgement judge();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

Judgement judge(const evidence::Timeline& timeline);

// The table of causes, for `lab causes`, `lab explain CAUSE` and the scenario checker.
struct CauseEntry {
  std::string_view name;     // "firewall/drop"
  std::string_view meaning;  // one line
};
const std::vector<CauseEntry>& causes();

}  // namespace lab::verdict
