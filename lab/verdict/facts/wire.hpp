// What one end put on the wire, and what was eaten of it on the way.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "evidence/event.hpp"
#include "verdict/facts/place.hpp"

namespace lab::verdict {

// What one end put on the wire.
struct Stream {
  bool started = false;     // next is known
  std::uint32_t isn = 0;    // valid with syn
  std::uint32_t next = 0;   // one past the highest sequence number seen, SYN and FIN counted
  bool answered = false;    // acked is known
  std::uint32_t acked = 0;  // highest acknowledgement from the other end that arrived
  std::uint32_t segments = 0, data_segments = 0, syns = 0, repeats = 0, probes = 0, fins = 0, rsts = 0;
  std::uint32_t unanswered = 0;                  // of the probes: since the other end's last segment
  std::uint64_t bytes = 0;                       // payload, each byte once
  std::uint64_t delivered = 0;                   // payload that the other end acknowledged
  Mark first, last, syn, first_data, last_data;  // data: new data only
  Mark fin, rst;                                 // the first of each
  Mark last_repeat, zero_window, acked_at;       // acked_at: when the other end last acknowledged something new
  Mark acked_first;                              // and when first anything: behind a SYN,ACK, the handshake's last ACK
  Mark open_since;                               // the oldest byte that is not acknowledged yet was sent then
  bool taken = false;                            // the other end's queue was seen empty behind data of this one
  Mark fresh;     // new data was acknowledged first since then: none of it had come at that look
  Mark past_fin;  // new data at or behind its own FIN's number: the FIN was not its own
  std::uint32_t fin_seq = 0, rst_seq = 0;
  bool rst_acks = false;                       // RST,ACK: built for a socket; a bare RST answers a segment
  bool late_rst = false;                       // a reset after both had finished
  std::uint32_t fins_left = 0, rsts_left = 0;  // seen leaving the end's own namespace (routed)
  std::uint32_t left = 0, arrived = 0;         // segments seen leaving this end, arriving at the other
  std::uint32_t arrived_to = 0;                // routed: one past the last byte that was seen arriving, where one was
  std::string last_seen;                       // routed: where the last segment that did not arrive was seen
  std::string went_into;                       // routed: the namespace in between that this was on its way into
  std::uint8_t ttl = 0, closing_ttl = 0;       // of its first segment; of its first FIN or RST
  std::uint32_t window = 0;                    // the last one advertised, unscaled
  std::uint32_t longest = 0;                   // payload of its largest segment
  std::string head;                            // first payload bytes, as hex
  Mark alert;                                  // a later segment that is nothing but a fatal TLS alert in the clear
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
  // Those that were, the last few: the first of them and its number, and when the last of them was.
  struct Mended {
    Mark first, at;
    std::uint32_t seq = 0;
  };
  std::vector<Mended> mended;
  bool any_end = false, any_ack = false;
  std::uint32_t end = 0;                      // highest sequence number that it ate, plus one
  std::uint32_t ack = 0;                      // highest acknowledgement that a pure ACK carried
  std::uint32_t first_ack = 0, last_ack = 0;  // of the segments themselves: a reject's RST has it as its number
  std::uint32_t open_seq = 0;                 // of open_first
  std::uint32_t max_length = 0;
};
// As they stood then: what was made good only later was open.
Hits as_of(const Hits& hits, std::int64_t t);

// A rule's work on messages that tell a host to send smaller packets. They don't say about which connection.
struct TooBigEaten {
  Hits rule;  // count, first and last, key, name, text, hook
  evidence::Address to;
  std::uint32_t mtu = 0;
};

struct IcmpFacts {
  std::string netns;
  std::uint8_t type = 0, code = 0;
  std::uint32_t mtu = 0, count = 0;
  Address from;
  Who quoted = Who::client;  // the end whose segment it answers
  Mark first;
};

}  // namespace lab::verdict
