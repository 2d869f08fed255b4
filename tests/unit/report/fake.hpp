// A made-up run: a client connects, sends 12 bytes that an output rule eats four times, and times out.
#pragma once

#include "report/report.hpp"

namespace lab::report {

inline constexpr std::int64_t kMs = 1'000'000, kZero = 5'000 * kMs;

inline evidence::Address address(const char* text) { return *evidence::parse_address(text); }
inline const evidence::Address kClient = address("127.0.0.1:45434"), kServer = address("127.0.0.1:8080");

inline evidence::Segment segment(bool to_server, const char* flags, std::uint32_t seq, std::uint32_t ack,
                                 std::uint32_t length = 0) {
  evidence::Segment s;
  s.device = "lo";
  s.source = to_server ? kClient : kServer;
  s.target = to_server ? kServer : kClient;
  s.flags = flags;
  s.seq = seq;
  s.ack = ack;
  s.length = length;
  s.ttl = 64;
  return s;
}

inline evidence::TraceHit eaten(const char* hook, const char* flags, std::uint32_t seq, std::uint32_t ack,
                                std::uint32_t length) {
  evidence::TraceHit t;
  t.family = "inet";
  t.table = "lab";
  t.chain = hook;
  t.hook = hook;
  t.handle = 4;
  t.name = "drop-after-handshake";
  t.type = "rule";
  t.verdict = t.action = "drop";
  t.source = kClient;
  t.target = kServer;
  t.flags = flags;
  t.seq = seq;
  t.ack = ack;
  t.length = length;
  return t;
}

inline evidence::StepDone step(const char* role, const char* verb, const char* text, const char* call,
                               const char* outcome, std::int64_t start_ns, std::int64_t end_ns, bool connected = true) {
  evidence::StepDone s;
  s.role = s.actor = role;
  const bool client = s.role == "client";
  s.pid = s.tid = client ? 3 : 2;
  s.verb = verb;
  s.step = text;
  s.call = call;
  s.outcome = outcome;
  s.start_ns = kZero + start_ns;
  s.end_ns = kZero + end_ns;
  if (connected) {
    s.local = client ? kClient : kServer;
    s.peer = client ? kServer : kClient;
  }
  return s;
}

inline evidence::Event at(std::int64_t t_ns, evidence::What what) {
  return {.t_ns = kZero + t_ns, .what = std::move(what)};
}

inline verdict::Connection connection() {
  verdict::Connection c;
  c.client = kClient;
  c.server = kServer;
  c.handshake = true;
  c.by = "nobody";
  c.client_end = {.state = "ESTABLISHED", .timer = "probe", .unacked = 1};
  c.server_end = {.state = "ESTABLISHED"};
  c.verdict.cause = "firewall/drop";
  c.verdict.status = verdict::Status::confirmed;
  return c;
}

inline Report fake() {
  Report r{.scenario = "firewall-drop",
           .summary = "The handshake passes; later segments don't",
           .path = "x/firewall-drop.toml"};
  r.zero_ns = kZero;
  auto& run = r.judgement.run;
  run.cause = "firewall/drop";
  run.status = verdict::Status::confirmed;
  run.summary = "The rule drop-after-handshake dropped every segment of the client behind the handshake.";
  run.culprit = {.kind = "rule",
                 .name = "drop-after-handshake",
                 .table = "lab",
                 .chain = "output",
                 .text = "tcp dport 8080 drop",
                 .handle = 4};
  run.because = {
      {"nft-trace", "drop-after-handshake in hook output dropped 12 bytes of the client four times", {4, 6}}};
  run.ruled_out = {{"application/closed", "neither end sent a FIN"}};
  run.next = {"nft list ruleset: look for a rule that drops established connections"};
  r.judgement.connections = {connection()};
  ActorLine client{.role = "client", .name = "client"};
  client.steps = {{"connect", "ok", 1 * kMs, 2 * kMs},
                  {"send 'Hello Server'", "12 bytes", 2 * kMs, 3 * kMs},
                  {"recv 64", "timeout", 3 * kMs, 1003 * kMs}};
  client.exit = 0;
  ActorLine server{.role = "server", .name = "server", .stopped = true};
  server.steps = {{"accept", "ok", 0, 2 * kMs}, {"recv 64", "stopped", 2 * kMs, 0}};
  r.actors = {server, client};
  r.expectations = {{"cause", "firewall/drop", "firewall/drop", true}, {"client.recv", "timeout", "timeout", true}};
  r.rules = {{"drop-after-handshake", "tcp dport 8080 drop", "rules/drop-after-handshake.toml:3", 4, 256}};
  r.counters = {{"TcpRetransSegs", 0}};
  r.faults = {{"drop-after-handshake", "rule", true, 4}};
  r.timing = {1.5, 1003, 0.5, 1005};
  auto& t = r.timeline;
  t.provenance.started_ns = kZero - 2 * kMs;
  t.provenance.realtime_offset_ns = 1'700'000'000'000'000'000;
  t.provenance.collectors = {{.name = "wire", .on = true, .events = 3},
                             {.name = "kernel", .on = false, .why = "needs root"}};
  t.events = {
      at(1 * kMs + 10, segment(true, "S", 100, 0)),
      at(1 * kMs + 20, segment(false, "SA", 500, 101)),
      at(1 * kMs + 30, segment(true, "A", 101, 501)),
      at(2 * kMs, step("client", "connect", "connect", "connect", "ok", 1 * kMs, 2 * kMs)),
      at(2 * kMs + 20, eaten("output", "PA", 101, 501, 12)),
      at(3 * kMs, step("client", "send", "send 'Hello Server'", "sendto", "12 bytes", 2 * kMs + 10, 2 * kMs + 90)),
      at(203 * kMs, eaten("output", "PA", 101, 501, 12)),
      at(403 * kMs, eaten("output", "PA", 101, 501, 12)),
      at(803 * kMs, eaten("output", "PA", 101, 501, 12)),
      at(1003 * kMs, step("client", "recv", "recv 64", "recvfrom", "timeout", 3 * kMs, 1003 * kMs)),
      at(1003 * kMs, step("server", "accept", "accept", "accept4", "ok", 1 * kMs - 50, 1 * kMs + 60)),
  };
  return r;
}

}  // namespace lab::report
