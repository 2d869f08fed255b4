// What a scenario file says, as plain types. Reading is reader.hpp's business; nothing here touches the system.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::scenario {

using Duration = std::chrono::nanoseconds;

// Where something stands in a file. line and column count from 1; 0: not from a file (--set).
struct Place {
  std::string file;
  std::uint32_t line = 0, column = 0;
};

enum class Family { ipv4, ipv6 };
enum class Topology { loopback, routed };
enum class Role { server, client, proxy, op };  // op: the operator

struct Endpoint {
  std::string host;  // a numeric address of the scenario's family
  std::uint16_t port = 0;
};

// ---- steps

enum class Verb {
  sleep,
  signal,
  wait,
  fork,
  exec,
  exit,
  abort,
  crash,
  raise,
  print,
  connect,
  accept,
  send,
  recv,
  recv_exactly,
  recv_until_eof,
  expect,
  wait_unread,
  shutdown,
  close,
  reset,
  option,
  use,
  relay,
  close_listener,
  start_thread,
  open_files,
  allocate,
  spawn_threads,
  write_file,
  burn,
  // the operator's
  add_rules,
  delete_rules,
  link,
  address,
  route,
  ipsec,
  destroy_sockets,
  inject_reset,
  inject_fin,
  flush_conntrack,
  sysctl,
  freeze,
  thaw,
  attach,
  kill,
};

struct Step {
  Verb verb{};
  std::string source;  // as written: "recv 64"
  std::string name;    // the verb as written: "recv"; expectations use it
  Place place;
  std::vector<std::string>
      words;         // positional arguments, unquoted: option NAME VALUE, relay A B, exec PROGRAM…, link lo down
  std::string text;  // send, expect, print: the bytes
  std::optional<std::uint64_t>
      size;  // send SIZE, recv SIZE, wait-unread, open-files N, exit CODE, raise's signal number, …
  std::optional<Duration> duration;  // sleep, burn
  std::optional<Duration> timeout;   // timeout=D
  std::string connection;            // as=NAME; close NAME, reset NAME, use NAME; "" the current one
  std::optional<Endpoint> endpoint;  // connect HOST:PORT
  std::vector<Step> body;            // fork, start-thread
};

// ---- actors

struct Range {  // a `when`: calls first..last, every `every`-th
  std::uint64_t first = 1;
  std::optional<std::uint64_t> last;  // nothing: without end
  std::uint64_t every = 1;
  bool contains(std::uint64_t n) const { return n >= first && (!last || n <= *last) && (n - first) % every == 0; }
};

enum class FilterAction { allow, fail, stall, kill_process, kill_thread, trap, log };  // fail: errno NAME

struct SeccompAction {
  FilterAction kind = FilterAction::allow;
  int error = 0;  // fail: the errno
};

struct SeccompRule {
  std::vector<std::string> calls;  // names that libseccomp knows
  SeccompAction action;
  std::optional<Range> when;
  std::string source;  // how a report names it: "accept4 errno EMFILE 3+"
  Place place;
};

struct Seccomp {
  SeccompAction fallback;  // `default`
  std::vector<SeccompRule> rules;
};

struct Limits {
  std::optional<std::uint64_t> nofile, nproc, as, fsize;  // counts; bytes
  std::optional<Duration> cpu;
  bool any() const { return nofile || nproc || as || fsize || cpu; }
};

struct Cgroup {
  std::optional<std::uint64_t> memory, pids;  // bytes; tasks
  std::optional<double> cpu;                  // share of one CPU, 0.1 for 10%
  bool any() const { return memory || pids || cpu; }
};

struct SocketOption {
  std::string name;         // rcvbuf, sndbuf, defer-accept, fastopen, keepalive, keepidle, …
  std::int64_t number = 0;  // sizes in bytes; user-timeout in ms; linger, keep… in seconds; switches 0 or 1
  std::string text;         // md5: the key
  Place place;
};

struct Actor {
  Role role = Role::client;
  std::string name;  // default: the role's own name
  Place place;
  std::optional<Endpoint> listen;  // servers and proxies; nothing: "none"
  int backlog = 16;
  std::vector<SocketOption> options;
  std::vector<Step> steps;       // either these
  std::vector<std::string> run;  // or a program; run[0] resolved as by a shell, beside the file for "./x"
  std::map<std::string, std::string> env;
  bool wait_ready = true;  // `ready`: "listening", or "none"
  std::uint32_t parallel = 1;
  std::optional<std::uint64_t> repeat = 1;  // nothing: "forever"
  Limits limits;
  Cgroup cgroup;
  std::optional<Seccomp> seccomp;
};

// ---- firewall

enum class Hook { prerouting, input, forward, output, postrouting };
enum class Direction { to_server, to_client, both };

struct Comparison {  // ">1000", "<=40", "=5", ">=1"
  enum class Op { equal, not_equal, less, at_most, more, at_least } op = Op::equal;
  std::uint64_t value = 0;
};

struct Rate {
  std::uint64_t count = 0;
  std::uint64_t unit_s = 1;
};  // "10/second": /second, /minute, /hour, /day

struct After {
  bool handshake = false;
  std::optional<std::uint64_t> packets, bytes;
  std::optional<Duration> time;
};

// The keys that a rule matches on; `not` negates any of them.
struct Match {
  std::optional<After> after;
  std::string flags;  // "psh, !syn" as written; parsed form below
  std::uint8_t flags_set = 0,
               flags_unset = 0;        // TCP header bits: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128
  std::vector<std::string> state;      // new, established, related, invalid, untracked
  std::optional<Comparison> length;    // bytes of the IP packet as the hook sees it
  std::optional<std::string> payload;  // first bytes of the TCP payload
  std::string icmp;                    // "frag-needed", … : an ICMP answer about this flow instead of TCP
  std::optional<std::uint32_t> mark, ct_mark;
  std::optional<std::uint64_t> every;
  std::optional<double> probability;  // (0, 1]
  std::optional<Rate> rate;
  std::optional<Comparison> connections;
};

enum class RuleAction { drop, reject_tcp_reset, reject_port, reject_host, reject_net, reject_admin, accept, count };

struct Rule {
  std::string name;
  std::string summary;  // of its file
  Place place;
  Hook hook = Hook::output;
  Direction direction = Direction::to_server;
  Match match;
  std::optional<Match> negated;  // `not`
  RuleAction action = RuleAction::drop;
  bool is_fault() const { return action != RuleAction::accept && action != RuleAction::count; }
};

struct RuleSet {  // a rule file, or the inline rules
  std::string name;
  std::string summary;
  std::string path;   // "" for inline ones
  std::string whole;  // an operator's whole ruleset in nft syntax, instead of rules
  std::vector<Rule> rules;
};

struct Firewall {
  std::vector<Rule> rules;   // of the named files and then the inline ones, in order
  std::string ruleset;       // text of a whole ruleset in nft syntax, "" for none
  std::string ruleset_file;  // where it came from: a path, or the scenario's own with `ruleset_line`
  std::uint32_t ruleset_line = 0;
  std::map<std::string, RuleSet> library;  // rule files that operator steps name
  bool empty() const { return rules.empty() && ruleset.empty(); }
};

// ---- network

struct Sysctl {
  std::string key, value;  // "net.ipv4.tcp_retries2", "3"
  Place place;             // the value's, in the file
};

struct Network {
  Family family = Family::ipv4;
  bool family_given = false;  // the file says so: -4 and -6 do not apply where it is tied to one
  Topology topology = Topology::loopback;
  std::optional<std::uint32_t> mtu;  // bytes
  std::vector<Sysctl> sysctl;
};

// ---- expectations

// One accepted form of a value: any of `outcomes`, or, over many instances, how often each outcome is seen.
struct Expectation {
  std::string key;                           // "connect", "recv#2", "exit"; a rule's or counter's name
  std::vector<std::string> outcomes;         // any of these
  std::map<std::string, Comparison> counts;  // outcome to how often
  std::optional<Comparison> number;          // rules, counters
  std::string source;                        // as written, for the report
  Place place;
};

struct Expect {
  std::vector<std::string> cause;                          // acceptable causes; empty: none given
  std::map<std::string, std::vector<Expectation>> actors;  // by actor name
  std::vector<Expectation> wire;                           // key "closes"
  std::vector<Expectation> rules;
  std::vector<Expectation> counters;
};

// ---- the whole

struct Scenario {
  std::string name;   // the file's, without folder and .toml
  std::string path;   // as given; relative program paths and rules/ start at its folder
  std::string layer;  // what lab list groups by: the first tag that names a layer
  std::string summary, description;
  std::vector<std::string> tags;
  Duration timeout = std::chrono::seconds(10);
  Duration grace = std::chrono::milliseconds(200);
  Network network;
  Firewall firewall;
  std::vector<Actor>
      actors;  // in the file's order: servers, proxies, clients, operators are sorted by whoever starts them
  Expect expect;
};

std::string_view name_of(Verb verb);
std::string_view name_of(Role role);  // "server", "client", "proxy", "operator"
std::string_view name_of(Hook hook);
std::string_view name_of(Family family);
std::string_view name_of(RuleAction action);  // "reject tcp-reset"

}  // namespace lab::scenario
