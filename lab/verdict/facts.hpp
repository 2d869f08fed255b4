// What a timeline comes to: plain facts folded from its events. One Conn for each connection, one Process for each
// process, and what moved in the system. Nothing here grows with the number of packets.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "evidence/event.hpp"

namespace lab::verdict {

using evidence::Address;

// A place in the timeline: which event, when, and whether the time is the kernel's or only when it was read.
struct Mark {
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
  std::int64_t t = 0;
  std::size_t event = nowhere;
  bool read_time = false;
  explicit operator bool() const { return event != nowhere; }
};

// `client` is the end that opened the connection.
enum class Who : std::uint8_t { client, server };
inline Who other(Who who) { return who == Who::client ? Who::server : Who::client; }
inline const char* name_of(Who who) { return who == Who::client ? "client" : "server"; }

template <class T>
struct Both {
  T client{}, server{};
  T& operator[](Who who) { return who == Who::client ? client : server; }
  const T& operator[](Who who) const { return who == Who::client ? client : server; }
};

// Sequence numbers wrap: a is behind b when the signed difference says so (RFC 9293, 3.4).
inline bool behind(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

// ---- wire

// What one end put on the wire.
struct Stream {
  bool started = false;     // next is known
  std::uint32_t isn = 0;    // valid with syn
  std::uint32_t next = 0;   // one past the highest sequence number seen, SYN and FIN counted
  bool answered = false;    // acked is known
  std::uint32_t acked = 0;  // highest acknowledgement from the other end that arrived
  std::uint32_t segments = 0, data_segments = 0, syns = 0, repeats = 0, probes = 0, fins = 0, rsts = 0;
  std::uint64_t bytes = 0;                       // payload, each byte once
  std::uint64_t delivered = 0;                   // payload that the other end acknowledged
  Mark first, last, syn, first_data, last_data;  // data: new data only
  Mark fin, rst;                                 // the first of each
  Mark last_repeat, zero_window, acked_at;       // acked_at: when the other end last acknowledged something new
  Mark open_since;                               // the oldest byte that is not acknowledged yet was sent then
  Mark past_fin;                                 // new data at or behind its own FIN's number: the FIN was not its own
  std::uint32_t fin_seq = 0, rst_seq = 0;
  bool rst_acks = false;                       // RST,ACK: built for a socket; a bare RST answers a segment
  bool late_rst = false;                       // a reset after both had finished
  std::uint32_t fins_left = 0, rsts_left = 0;  // seen leaving the end's own namespace (routed)
  std::uint32_t left = 0, arrived = 0;         // segments seen leaving this end, arriving at the other
  std::string last_seen;                       // routed: where the last segment that did not arrive was seen
  std::uint8_t ttl = 0, closing_ttl = 0;       // of its first segment; of its first FIN or RST
  std::uint32_t window = 0;                    // the last one advertised, unscaled
  std::string head;                            // first payload bytes, as hex
  bool mptcp = false, md5 = false;

  bool open() const { return started && answered && behind(acked, next); }
};

// ---- what ate segments: a rule, a chain's policy, a drop reason

struct RuleKey {
  std::string netns, family, table, chain;
  std::uint64_t handle = 0;
  auto operator<=>(const RuleKey&) const = default;
};

struct RuleFacts {
  RuleKey key;
  evidence::RuleState state;  // text, name, action, as last read
  bool at_start = false, at_end = false;
  std::uint64_t packets_before = 0, packets = 0;  // counter at the start and at the end
  Mark end;
  std::uint64_t hits() const { return packets >= packets_before ? packets - packets_before : packets; }
};

// One eater's work on one direction of one connection.
struct Hits {
  bool rule = false;  // else a drop reason of the kernel
  RuleKey key;
  std::string name, text, hook, action, type;  // of a rule
  std::string reason, where;                   // of a drop
  Who from = Who::client;                      // the end whose segments it ate
  std::uint32_t count = 0, icmp = 0, syn = 0, fin = 0, rst = 0, data = 0, pure_ack = 0;
  std::uint32_t probes = 0;  // of the pure ACKs: keepalive, one number below the next byte's
  Mark first, last;
  Mark open_first;  // first of those that were never made good
  bool any_end = false, any_ack = false;
  std::uint32_t end = 0;                      // highest sequence number that it ate, plus one
  std::uint32_t ack = 0;                      // highest acknowledgement that a pure ACK carried
  std::uint32_t first_ack = 0, last_ack = 0;  // of the segments themselves: a reject's RST has it as its number
  std::uint32_t open_seq = 0;                 // of open_first
  std::uint32_t max_length = 0;
};

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
  bool linger_reset = false;
  int pid = 0, tid = 0, fd = -1, error = 0;
  std::int64_t bytes = -1, start = 0, end = 0;
  Mark mark;
};

// What the holders of one end did with it.
struct Acts {
  bool any = false;
  std::uint64_t read = 0, written = 0;                     // bytes
  Mark first, last_read, last_write, connected, accepted;  // with more than 0 bytes
  Mark asked_reset;                                        // SO_LINGER 0 or a disconnect
  std::optional<Deed> connect;                             // the last connect()
  std::optional<Deed> pending;                             // the read or write that never returned
  std::vector<Deed> closers;                               // close, shutdown, reset, exec: the first eight
  std::optional<Deed> last;
  std::set<int> pids;
  std::set<int> users;  // of them: who read or wrote
};

// How far a direction was when somebody complained.
struct Progress {
  std::uint64_t sent = 0, delivered = 0, written = 0, read = 0;
  bool open = false, accepted = false;
  bool writing = false;  // inside a write that had not returned: its bytes are in neither sum yet
  std::uint32_t repeats = 0;
  Mark open_since;
};

struct Complaint {
  enum class What : std::uint8_t {
    no_connect,  // connect() failed
    eof,         // the other end's FIN came where something was owed
    reset,       // a call failed because the connection is gone
    cut,         // a reset on the wire
    starved,     // it waited in vain
    failed,      // its own call failed for a reason of its own
    died         // its process was killed
  };
  What what = What::starved;
  Who victim = Who::client;
  Mark at;
  std::optional<Deed> deed;
  bool owed = false;  // something was certainly awaited
  bool weak = false;  // read off the wire alone
  bool made_good = false;
  Both<Progress> then;         // as it stood at that moment
  std::optional<Deed> facing;  // the other end was inside this read then
};

struct IcmpFacts {
  std::string netns;
  std::uint8_t type = 0, code = 0;
  std::uint32_t mtu = 0, count = 0;
  Address from;
  Who quoted = Who::client;  // the end whose segment it answers
  Mark first;
};

struct SocketFacts {
  evidence::SocketState state;
  Mark at;
};

struct KernelReset {  // TCP built a reset for this end
  std::string reason, state;
  Mark at;
};

struct Conn {
  Address client, server;
  bool known_order = false;  // which end opened it is certain
  bool wire = false;         // some segment of it was seen
  bool handshake = false;
  Mark began, handshake_at;
  Mark ended;
  Both<Stream> stream;
  Both<Acts> acts;
  Both<std::optional<SocketFacts>> socket;  // as last seen
  Both<std::optional<SocketFacts>> gone;    // its last word when it was freed
  Both<std::optional<SocketFacts>> before;  // the state before the last one
  Both<std::optional<SocketFacts>> alive;   // last seen ESTABLISHED or CLOSE_WAIT: it had closed nothing yet
  Both<std::set<int>> holders;              // pids that socket diagnostics showed
  Both<bool> left_syn_recv;                 // the server's socket was seen past SYN_RECV
  Both<std::vector<KernelReset>> built;     // resets that TCP built
  Both<Mark> kernel_closed;                 // a state change away from ESTABLISHED by that end itself
  std::vector<Hits> hits;
  std::vector<IcmpFacts> icmp;
  std::vector<Complaint> complaints;
  std::optional<Both<Progress>> at_closing;  // as it stood when the first FIN or RST came by
  // Address translation.
  bool translated = false;
  Address asked;      // what the client aimed at, where that is not `server`
  Mark flow_gone;     // conntrack forgot it
  Mark untranslated;  // a later segment under the address that translation should have changed
  // Segments that carry on this flow under other ports or addresses.
  std::uint32_t strays = 0;
  Mark stray;
  std::string stray_to;
  Both<Mark> retransmit;  // kernel's own word
  // A rule that writes into segments met one of this flow.
  Mark rewritten;
  Hits rewriter;
};

// ---- processes

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
  bool made_good = false;  // the same call succeeded later
};

struct SignalFacts {
  evidence::SignalSent sent;
  Mark at;
};

struct LimitFacts {
  evidence::LimitState state;
  Mark at;
};

struct Process {
  int pid = 0, parent = 0;
  std::string label, program;      // for people only
  std::vector<std::string> given;  // limits it was started with
  Mark started, exited;
  bool by_lab = false;
  int status = 0, signal = 0;
  bool exit_begun = false;  // nobody reaped it: exited is when it began to exit
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
  std::optional<Deed> failed_connect, closed_listener, became;  // became: its last exec
  std::set<int> children;
  std::set<Address> serves;  // addresses that it accepted on or listened on
};

struct Listener {
  std::string netns;
  Address local;
  Mark seen, last_seen, closed;
  std::uint32_t waiting = 0, limit = 0, most_waiting = 0;  // accept queue
  std::string options;
  std::set<int> pids;
};

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
  std::vector<KernelReset> stray_resets;             // built for a socket whose address was not told
  std::map<std::string, std::uint64_t> wire_resets;  // resets seen leaving, by namespace
  Mark clients_ended, deadline, stopping;
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
