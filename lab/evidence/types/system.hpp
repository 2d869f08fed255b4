// The kernel's own word, and the system around the connections.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- kernel (BPF tracepoints): a packet dropped, a reset built, a retransmission, a change of state.
struct KernelEvent {
  std::string kind;              // "drop", "send-reset", "receive-reset", "retransmit", "state"
  std::string reason;            // drop or reset reason's name from the running kernel's BTF, without its prefix
  std::string old_state, state;  // TCP states
  std::string where;             // symbol that dropped it, where known
  Address source, target;        // of the packet (drop), or local and peer of the socket
  std::string flags;
  std::uint32_t seq = 0, length = 0;
  std::uint64_t socket = 0;  // the kernel's socket, as an opaque number
  int pid = 0;               // current task, where it is one of the sandbox's
  std::string call;  // "state" to FIN_WAIT1 or LAST_ACK: the system call that the task closed it in, "exit" where
                     // it was ending; "" where that is not known
  bool operator==(const KernelEvent&) const = default;
  template <class A>
  void fields(A& a) {
    a("event", kind);
    a("reason", reason);
    a("old", old_state);
    a("state", state);
    a("where", where);
    a("src", source);
    a("dst", target);
    a("flags", flags);
    a("seq", seq);
    a("len", length);
    a("sk", socket);
    a("pid", pid);
    a("call", call);
  }
};

// ---- changes: the system changed while the connection lived.
struct Change {
  std::string netns;
  std::string kind;    // "rule-added", "rule-deleted", "table-deleted", "link-down", "link-up", "address-added",
                       // "address-deleted", "route-added", "route-deleted", "xfrm-policy-added", "xfrm-policy-deleted",
                       // "sysctl", "socket-destroyed", "bpf-attached", "bpf-detached", "cgroup-memory",
                       // "cgroup-oom-kill", "cgroup-pids-max"
  std::string object;  // "lo", "127.0.0.1/8", "blackhole 10.0.0.0/24", "dst 127.0.0.1 dir out action block"
  std::string detail;
  std::uint64_t handle = 0;  // of a rule
  int pid = 0;               // who did it, where the notification says; 0: not known
  std::string process;
  bool operator==(const Change&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("event", kind);
    a("object", object);
    a("detail", detail);
    a("handle", handle);
    a("pid", pid);
    a("process", process);
  }
};

// ---- static facts of the sandbox or host at the end of the run that a cause can hang on ("xdp on lo", "sockmap",
// "net.ipv4.tcp_fin_timeout=1").
struct SystemFact {
  std::string netns, kind, object, value;  // kind: "bpf-attached", "sysctl", "route", "address", "listener-gone"
  bool operator==(const SystemFact&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("event", kind);
    a("object", object);
    a("value", value);
  }
};

// ---- lab: what the run itself did that shaped the evidence: "clients-ended", "deadline", "interrupted", "unstarted",
// "grace-over", "stopping", "end".
struct Milestone {
  std::string what;
  bool operator==(const Milestone&) const = default;
  template <class A>
  void fields(A& a) {
    a("what", what);
  }
};

}  // namespace lab::evidence
