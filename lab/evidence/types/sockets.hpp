// Sockets and the counters of their namespace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- sockets: one socket as socket diagnostics show it.
struct SocketState {
  std::string netns;
  Address local, peer;  // peer unknown for a listener
  std::string state;    // "ESTABLISHED", "LISTEN", …
  std::string when;     // "handshake", "change", "end", "destroyed" (its last word)
  std::string timer;    // "", "retransmit", "keepalive", "timewait", "probe"
  std::uint32_t timer_ms = 0;
  std::uint32_t retransmits = 0, probes = 0, backoff = 0;
  std::uint32_t receive_queue = 0, send_queue = 0;  // a listener: accept queue's length and its limit
  std::uint32_t unacked = 0, not_sent = 0;          // segments; bytes
  std::uint64_t bytes_sent = 0, bytes_acked = 0, bytes_received = 0;
  std::uint32_t receive_window = 0, send_window = 0;  // bytes; 0 where the kernel does not say
  std::uint32_t total_retransmits = 0;
  std::uint32_t inode = 0;  // 0: not attached to a file (un-accepted, or orphaned)
  std::vector<int> pids;    // processes that hold it
  bool shut_read = false, shut_write = false;
  std::string error;    // the pending error's name (SO_ERROR), where it was asked for
  std::string options;  // what matters of its options: "md5", "min-ttl=64", "defer-accept", … separated by spaces
  bool operator==(const SocketState&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("local", local);
    a("peer", peer);
    a("state", state);
    a("when", when);
    a("timer", timer);
    a("timer_ms", timer_ms);
    a("retransmits", retransmits);
    a("probes", probes);
    a("backoff", backoff);
    a("rq", receive_queue);
    a("sq", send_queue);
    a("unacked", unacked);
    a("notsent", not_sent);
    a("sent", bytes_sent);
    a("acked", bytes_acked);
    a("received", bytes_received);
    a("rwnd", receive_window);
    a("swnd", send_window);
    a("retrans", total_retransmits);
    a("inode", inode);
    a("pids", pids);
    a("shutr", shut_read);
    a("shutw", shut_write);
    a("error", error);
    a("options", options);
  }
};

// ---- counters: how much one of the namespace's counters moved over the run (nstat's names).
struct Counter {
  std::string netns, name;
  std::int64_t change = 0;
  bool operator==(const Counter&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("name", name);
    a("change", change);
  }
};

}  // namespace lab::evidence
