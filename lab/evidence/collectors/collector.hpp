// What every collector is. One file each; all live in the sandbox's init, in one event loop, except BPF (outer lab).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evidence/event.hpp"

namespace lab::evidence {

// Opened in the network namespace it watches, before the first rule and the first actor. Never blocks.
class Source {
 public:
  virtual ~Source() = default;
  // Descriptors to poll for POLLIN; drain() is called when one is readable and, once more, at the end.
  virtual std::vector<int> descriptors() const = 0;
  virtual void drain(Sink& sink) = 0;
  // Set-up is finished and no actor has begun: what was seen until now was the lab's own doing and is forgotten.
  virtual void start(Sink&) {}
  // At the end of the run, while every actor's socket still exists: last snapshots and differences.
  virtual void finish(Sink& sink) = 0;
  // How it fared; `name` is the source's name.
  virtual Collector account() const = 0;
};

// Makes one. Throws Unavailable with the reason where this machine can't. `netns`: the namespace's label ("" on
// loopback). Packet sockets on every link of the namespace. `keep_frames`: Segment::frame is filled, for --pcap.
// `hurry`: the kernel closes the sockets later, one after the other for the whole machine; not for many runs in a row.
std::unique_ptr<Source> make_wire(const std::string& netns, bool keep_frames, bool hurry = true);
std::unique_ptr<Source> make_trace(
    const std::string& netns);  // NFNLGRP_NFTRACE, rules' text and counters at start and end
std::unique_ptr<Source> make_changes(const std::string& netns);    // rtnetlink, NFNLGRP_NFTABLES, xfrm
std::unique_ptr<Source> make_counters(const std::string& netns);   // netstat, snmp, snmp6: differences at finish()
std::unique_ptr<Source> make_conntrack(const std::string& netns);  // NFNLGRP_CONNTRACK_*: listens only
// Socket diagnostics. `pids_of`: which processes of the sandbox hold the socket with this inode.
class Sockets : public Source {
 public:
  // A dump of every TCP socket, marked with `when` ("handshake", "change", "end").
  virtual void snapshot(Sink& sink, const std::string& when) = 0;
};
std::unique_ptr<Sockets> make_sockets(const std::string& netns);
// /proc of the sandbox: states of processes, descriptors, limits. snapshot() is called for the end and on demand.
class Processes {
 public:
  virtual ~Processes() = default;
  virtual void watch(int pid) = 0;  // an actor's process; its children are found by walking /proc
  virtual void snapshot(Sink& sink, const std::string& when) = 0;  // ProcessState and LimitState of each
};
std::unique_ptr<Processes> make_processes();

}  // namespace lab::evidence
