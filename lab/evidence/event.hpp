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
#include <string>
#include <variant>
#include <vector>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- wire: a segment that a packet socket saw. On loopback each is seen once, behind the output hooks and
// before the input hooks: one that an output hook ate is never seen, one that an input hook ate is.
struct Segment {
  std::string netns;            // "" on loopback topology; "client", "router", "server" where routed
  std::string device;           // interface name
  bool outgoing = false;        // leaving by this device (routed: each link is watched in both directions)
  Address source, target;
  std::string flags;            // letters of SYN FIN RST PSH ACK URG ECE CWR, in the order "SFRPAUEC"
  std::uint32_t seq = 0, ack = 0;
  std::uint32_t length = 0;     // TCP payload bytes
  std::uint32_t window = 0;     // as in the header, unscaled
  std::uint16_t ip_id = 0;
  std::uint8_t ttl = 0;
  bool mptcp = false;           // carries an MPTCP option
  bool md5 = false;             // carries an MD5 signature option
  std::string head;             // first bytes of the payload (at most 16), as hex
  std::uint32_t folded = 0;     // this many plain in-order segments of its flow and direction went before it and were left out (bulk)
  std::string frame;            // the packet from its IP header on, as hex, as far as captured; "" unless a capture file is wanted
  bool operator==(const Segment&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("dev", device); a("out", outgoing); a("src", source); a("dst", target); a("flags", flags); a("seq", seq); a("ack", ack);
     a("len", length); a("win", window); a("id", ip_id); a("ttl", ttl); a("mptcp", mptcp); a("md5", md5); a("head", head); a("folded", folded); a("frame", frame);
  }
};

// ---- wire: an ICMP error that quotes a segment of a TCP flow.
struct IcmpError {
  std::string netns, device;
  bool outgoing = false;
  Address source, target;       // of the ICMP packet itself; ports 0
  std::uint8_t type = 0, code = 0;
  std::uint32_t mtu = 0;        // of a "fragmentation needed" / "packet too big"
  Address quoted_source, quoted_target;
  std::uint32_t quoted_seq = 0;
  std::string frame;            // as in Segment
  bool operator==(const IcmpError&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("dev", device); a("out", outgoing); a("src", source); a("dst", target); a("type", type); a("code", code); a("mtu", mtu);
     a("qsrc", quoted_source); a("qdst", quoted_target); a("qseq", quoted_seq); a("frame", frame);
  }
};

// ---- nft-trace: one trace message, joined to its rule. No kernel timestamp: t_ns is when it was read.
struct TraceHit {
  std::string netns;
  std::string family, table, chain, hook;   // hook: "output", … ; chain's base hook where known
  std::uint64_t handle = 0;     // 0: the chain's end or its policy
  std::string name;             // the rule's comment
  std::string text;             // the rule as text
  std::string type;             // "rule", "policy", "return"
  std::string verdict;          // "drop", "accept", "continue", "jump", …; a reject reads "drop"
  std::string action;           // what the rule's last statement is: "drop", "reject", "accept", "dnat", …; "" unknown
  Address source, target;
  std::string flags;
  std::uint32_t seq = 0, ack = 0, length = 0;
  std::uint16_t ip_id = 0;
  std::uint32_t trace_id = 0;
  bool icmp = false;            // the packet is an ICMP message; source and target are the quoted flow's where known
  bool operator==(const TraceHit&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("family", family); a("table", table); a("chain", chain); a("hook", hook); a("handle", handle); a("name", name); a("text", text);
     a("type", type); a("verdict", verdict); a("action", action); a("src", source); a("dst", target); a("flags", flags); a("seq", seq); a("ack", ack);
     a("len", length); a("id", ip_id); a("trace", trace_id); a("icmp", icmp);
  }
};

// ---- rules: a rule's text and counter, read at the start and at the end ("when").
struct RuleState {
  std::string netns, family, table, chain, hook;
  std::uint64_t handle = 0;     // 0: a base chain's policy
  std::string name, text, action;
  std::string file;             // of the rule where a ruleset file is known, "FILE:LINE"
  bool counted = false;         // has a counter
  std::uint64_t packets = 0, bytes = 0;
  std::string when;             // "start", "end"
  bool operator==(const RuleState&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("family", family); a("table", table); a("chain", chain); a("hook", hook); a("handle", handle); a("name", name); a("text", text);
     a("action", action); a("file", file); a("counted", counted); a("packets", packets); a("bytes", bytes); a("when", when);
  }
};

// ---- sockets: one socket as socket diagnostics show it.
struct SocketState {
  std::string netns;
  Address local, peer;          // peer unknown for a listener
  std::string state;            // "ESTABLISHED", "LISTEN", …
  std::string when;             // "handshake", "change", "end", "destroyed" (its last word)
  std::string timer;            // "", "retransmit", "keepalive", "timewait", "probe"
  std::uint32_t timer_ms = 0;
  std::uint32_t retransmits = 0, probes = 0, backoff = 0;
  std::uint32_t receive_queue = 0, send_queue = 0;   // a listener: accept queue's length and its limit
  std::uint32_t unacked = 0, not_sent = 0;           // segments; bytes
  std::uint64_t bytes_sent = 0, bytes_acked = 0, bytes_received = 0;
  std::uint32_t receive_window = 0, send_window = 0; // bytes; 0 where the kernel does not say
  std::uint32_t total_retransmits = 0;
  std::uint32_t inode = 0;      // 0: not attached to a file (un-accepted, or orphaned)
  std::vector<int> pids;        // processes that hold it
  bool shut_read = false, shut_write = false;
  std::string error;            // the pending error's name (SO_ERROR), where it was asked for
  std::string options;          // what matters of its options: "md5", "min-ttl=64", "defer-accept", … separated by spaces
  bool operator==(const SocketState&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("local", local); a("peer", peer); a("state", state); a("when", when); a("timer", timer); a("timer_ms", timer_ms);
     a("retransmits", retransmits); a("probes", probes); a("backoff", backoff); a("rq", receive_queue); a("sq", send_queue); a("unacked", unacked);
     a("notsent", not_sent); a("sent", bytes_sent); a("acked", bytes_acked); a("received", bytes_received); a("rwnd", receive_window);
     a("swnd", send_window); a("retrans", total_retransmits); a("inode", inode); a("pids", pids); a("shutr", shut_read); a("shutw", shut_write);
     a("error", error); a("options", options);
  }
};

// ---- counters: how much one of the namespace's counters moved over the run (nstat's names).
struct Counter {
  std::string netns, name;
  std::int64_t change = 0;
  bool operator==(const Counter&) const = default;
  template <class A> void fields(A& a) { a("netns", netns); a("name", name); a("change", change); }
};

// ---- actors: a process that the run started.
struct ProcessStart {
  int pid = 0;
  std::string role, actor;      // labels for people; never evidence
  std::uint32_t instance = 0;
  std::string program;          // argv[0], "" for steps
  std::vector<std::string> limits;  // "nofile=16", … as the process got them
  bool operator==(const ProcessStart&) const = default;
  template <class A> void fields(A& a) {
    a("pid", pid); a("role", role); a("actor", actor); a("instance", instance); a("program", program); a("limits", limits);
  }
};

// ---- actors: one step, written when it ended (t_ns is its end) or, with outcome "stopped", when the run ended.
struct StepDone {
  std::string role, actor;
  std::uint32_t instance = 0, index = 0;   // index: position among the actor's steps; order of execution
  int pid = 0, tid = 0;
  std::string verb, step;       // "recv", "recv 64"
  std::string call;             // the system call the verb stands for: "recvfrom"
  std::string outcome;          // "ok", "5 bytes", "eof", "timeout", "ECONNRESET", "not reached", "stopped", …
  int error = 0;                // errno, 0: none
  std::int64_t bytes = -1;      // -1: does not apply
  std::int64_t start_ns = 0, end_ns = 0;   // 0: never began, never ended
  int fd = -1;
  Address local, peer;          // of the connection it acted on, where known
  bool linger_reset = false;    // it asked for a reset (SO_LINGER 0, disconnect)
  bool operator==(const StepDone&) const = default;
  template <class A> void fields(A& a) {
    a("role", role); a("actor", actor); a("instance", instance); a("index", index); a("pid", pid); a("tid", tid); a("verb", verb); a("step", step);
     a("call", call); a("outcome", outcome); a("error", error); a("bytes", bytes); a("start", start_ns); a("end", end_ns); a("fd", fd);
     a("local", local); a("peer", peer); a("lingerreset", linger_reset);
  }
};

// ---- actors: a process ended.
struct ProcessExit {
  int pid = 0;
  std::string role, actor;
  std::uint32_t instance = 0;
  int status = 0;               // exit status, when signal is 0
  int signal = 0;               // the signal that killed it
  bool core = false;
  bool by_lab = false;          // the lab stopped it at the end of the run: never a cause
  bool operator==(const ProcessExit&) const = default;
  template <class A> void fields(A& a) {
    a("pid", pid); a("role", role); a("actor", actor); a("instance", instance); a("status", status); a("signal", signal); a("core", core); a("bylab", by_lab);
  }
};

// ---- actors: what a program wrote (a line, or as it came).
struct Output {
  std::string role, actor;
  std::uint32_t instance = 0;
  bool error = false;           // standard error
  std::string text;
  bool operator==(const Output&) const = default;
  template <class A> void fields(A& a) { a("role", role); a("actor", actor); a("instance", instance); a("stderr", error); a("text", text); }
};

// ---- signals: one process sent another a signal, where a source could know (BPF signal_generate, siginfo of a traced process).
struct SignalSent {
  int signal = 0, target = 0;
  int sender = 0;               // 0: the kernel, or outside the sandbox
  std::string sender_name;
  bool by_kernel = false;       // raised by the target's own fault or by a limit
  bool by_lab = false;
  bool operator==(const SignalSent&) const = default;
  template <class A> void fields(A& a) {
    a("signal", signal); a("target", target); a("sender", sender); a("name", sender_name); a("kernel", by_kernel); a("bylab", by_lab);
  }
};

// ---- processes: a stop that lasts (stopped by a signal, or frozen), seen in /proc or the freezer.
struct ProcessState {
  int pid = 0;
  std::string state;            // "stopped", "frozen", "running", "sleeping", "traced"
  std::string wait;             // what it waits in (wchan or system call), where known
  std::uint64_t cpu_ns = 0;
  std::uint32_t descriptors = 0, threads = 0;
  std::string when;             // "change", "end"
  bool operator==(const ProcessState&) const = default;
  template <class A> void fields(A& a) {
    a("pid", pid); a("state", state); a("wait", wait); a("cpu", cpu_ns); a("fds", descriptors); a("threads", threads); a("when", when);
  }
};

// ---- system calls of outside programs. t_ns is the return (or the entry, while it has not returned).
struct Call {
  int pid = 0, tid = 0;
  std::string name;
  std::string args;             // what matters of them, as strace would print it
  std::int64_t result = 0;      // what the call returned, when error is 0
  int error = 0;
  bool returned = true;         // false: still inside when the run ended, or died in it
  std::int64_t start_ns = 0;
  int fd = -1;                  // the descriptor it acted on or, for accept and socket, made
  Address local, peer;          // of that descriptor's connection, where known
  bool linger_reset = false;    // setsockopt SO_LINGER {1, 0} or connect AF_UNSPEC
  std::string target;           // other object: a child's pid, a path, a signal
  bool operator==(const Call&) const = default;
  template <class A> void fields(A& a) {
    a("pid", pid); a("tid", tid); a("name", name); a("args", args); a("result", result); a("error", error); a("returned", returned); a("start", start_ns);
     a("fd", fd); a("local", local); a("peer", peer); a("lingerreset", linger_reset); a("target", target);
  }
};

// ---- filters: a seccomp filter answered a call.
struct FilterAct {
  int pid = 0, tid = 0;
  std::string call;
  std::string action;           // "errno", "stall", "kill-process", "kill-thread", "trap", "log"
  int error = 0;
  std::uint64_t count = 0;      // which call of its kind this was, where counted
  std::string args;
  int fd = -1;                  // the call's first argument, where it is a descriptor
  Address local, peer;          // of that descriptor's connection, where known
  bool operator==(const FilterAct&) const = default;
  template <class A> void fields(A& a) {
    a("pid", pid); a("tid", tid); a("call", call); a("action", action); a("error", error); a("count", count); a("args", args); a("fd", fd); a("local", local); a("peer", peer);
  }
};

// ---- limits: a limit in force on a process, and how far it was used when a call failed or the process died.
struct LimitState {
  int pid = 0;
  std::string name;             // "nofile", "nproc", "as", "fsize", "cpu", "cgroup.memory", "cgroup.pids"
  std::uint64_t limit = 0, used = 0;
  bool hit = false;             // the kernel said so (a cgroup's event counter, SIGXCPU, SIGXFSZ)
  bool operator==(const LimitState&) const = default;
  template <class A> void fields(A& a) { a("pid", pid); a("name", name); a("limit", limit); a("used", used); a("hit", hit); }
};

// ---- kernel (BPF tracepoints): a packet dropped, a reset built, a retransmission, a change of state.
struct KernelEvent {
  std::string kind;             // "drop", "send-reset", "receive-reset", "retransmit", "state"
  std::string reason;           // drop or reset reason's name from the running kernel's BTF, without its prefix
  std::string old_state, state; // TCP states
  std::string where;            // symbol that dropped it, where known
  Address source, target;       // of the packet (drop), or local and peer of the socket
  std::string flags;
  std::uint32_t seq = 0, length = 0;
  std::uint64_t socket = 0;     // the kernel's socket, as an opaque number
  int pid = 0;                  // current task, where it is one of the sandbox's
  bool operator==(const KernelEvent&) const = default;
  template <class A> void fields(A& a) {
    a("event", kind); a("reason", reason); a("old", old_state); a("state", state); a("where", where); a("src", source); a("dst", target); a("flags", flags);
     a("seq", seq); a("len", length); a("sk", socket); a("pid", pid);
  }
};

// ---- conntrack: a flow's entry appeared, changed or went away.
struct Flow {
  std::string netns, kind;      // "new", "update", "destroy"
  Address original_source, original_target, reply_source, reply_target;
  std::string state;            // TCP state in conntrack's words
  std::uint32_t status = 0;     // IPS_* bits
  std::uint32_t mark = 0;
  std::uint32_t timeout_s = 0;
  bool operator==(const Flow&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("event", kind); a("osrc", original_source); a("odst", original_target); a("rsrc", reply_source); a("rdst", reply_target);
     a("state", state); a("status", status); a("mark", mark); a("timeout", timeout_s);
  }
};

// ---- changes: the system changed while the connection lived.
struct Change {
  std::string netns;
  std::string kind;             // "rule-added", "rule-deleted", "table-deleted", "link-down", "link-up", "address-added", "address-deleted",
                                // "route-added", "route-deleted", "xfrm-policy-added", "xfrm-policy-deleted", "sysctl", "socket-destroyed",
                                // "bpf-attached", "cgroup-memory", "cgroup-oom-kill", "cgroup-pids-max"
  std::string object;           // "lo", "127.0.0.1/8", "blackhole 10.0.0.0/24", "dst 127.0.0.1 dir out action block"
  std::string detail;
  std::uint64_t handle = 0;     // of a rule
  int pid = 0;                  // who did it, where the notification says; 0: not known
  std::string process;
  bool operator==(const Change&) const = default;
  template <class A> void fields(A& a) {
    a("netns", netns); a("event", kind); a("object", object); a("detail", detail); a("handle", handle); a("pid", pid); a("process", process);
  }
};

// ---- static facts of the sandbox or host at the end of the run that a cause can hang on ("xdp on lo", "sockmap", "net.ipv4.tcp_fin_timeout=1").
struct SystemFact {
  std::string netns, kind, object, value;   // kind: "bpf-attached", "sysctl", "route", "address", "listener-gone"
  bool operator==(const SystemFact&) const = default;
  template <class A> void fields(A& a) { a("netns", netns); a("event", kind); a("object", object); a("value", value); }
};

// ---- lab: what the run itself did that shaped the evidence: "clients-ended", "deadline", "grace-over", "stopping", "end".
struct Milestone {
  std::string what;
  bool operator==(const Milestone&) const = default;
  template <class A> void fields(A& a) { a("what", what); }
};

using What = std::variant<Segment, IcmpError, TraceHit, RuleState, SocketState, Counter, ProcessStart, StepDone, ProcessExit, Output,
                          SignalSent, ProcessState, Call, FilterAct, LimitState, KernelEvent, Flow, Change, SystemFact, Milestone>;

struct Event {
  std::int64_t t_ns = 0;
  bool read_time = false;       // the source has no timestamps; t_ns is when the event was read
  What what;
  bool operator==(const Event&) const = default;
};

// The source's name as reports print it: "wire", "nft-trace", "rules", "sockets", "counters", "actors", "signals", "processes",
// "syscalls", "filters", "limits", "kernel", "conntrack", "changes", "system", "lab".
std::string_view source_of(const What& what);
// The type's own name in the file: "segment", "icmp", "trace", "rule", "socket", …
std::string_view kind_of(const What& what);

// How a collector fared: what the report's "collectors" lists.
struct Collector {
  std::string name;             // a source's name
  bool on = false;
  std::string why;              // when off, the reason; when on, what it left out or disturbed
  std::uint64_t events = 0, lost = 0;
  bool disturbs = false;        // it changed the timing of what it watched (ptrace)
  bool operator==(const Collector&) const = default;
  template <class A> void fields(A& a) { a("name", name); a("on", on); a("why", why); a("events", events); a("lost", lost); a("disturbs", disturbs); }
};

// First line of an evidence file.
struct Provenance {
  int format = 1;
  std::string version, kernel, machine, command, clock = "CLOCK_MONOTONIC", scenario;   // scenario: a label, never evidence
  std::int64_t started_ns = 0, ended_ns = 0;
  std::int64_t realtime_offset_ns = 0;   // CLOCK_REALTIME minus CLOCK_MONOTONIC at the start
  bool root = false;
  std::vector<Collector> collectors;
  bool operator==(const Provenance&) const = default;
  template <class A> void fields(A& a) {
    a("format", format); a("version", version); a("kernel", kernel); a("machine", machine); a("command", command); a("clock", clock); a("scenario", scenario);
     a("started", started_ns); a("ended", ended_ns); a("realtime_offset", realtime_offset_ns); a("root", root); a("collectors", collectors);
  }
};

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
