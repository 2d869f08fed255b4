// What is no act of an end: processes, rules, sockets, the kernel's own words.
#include "unit/verdict/story.hpp"

namespace lab::verdict {

namespace ev = evidence;

namespace {

ev::Address address(const std::string& text) { return ev::parse_address(text).value(); }

}  // namespace

Story& Story::started(int pid, const std::string& role, std::vector<std::string> limits, const std::string& program) {
  return put(
      ev::ProcessStart{.pid = pid, .role = role, .actor = role, .program = program, .limits = std::move(limits)});
}
Story& Story::exits(int pid, int status) { return put(ev::ProcessExit{.pid = pid, .status = status}, true); }
Story& Story::killed(int pid, int signal) { return put(ev::ProcessExit{.pid = pid, .signal = signal}, true); }
Story& Story::signal(int signal, int target, int sender, bool by_kernel) {
  return put(ev::SignalSent{.signal = signal,
                            .target = target,
                            .sender = sender,
                            .sender_name = sender ? "sender" : "",
                            .by_kernel = by_kernel});
}
Story& Story::process(int pid, const std::string& state) {
  return put(ev::ProcessState{.pid = pid, .state = state, .when = "change"}, true);
}
Story& Story::limit(int pid, const std::string& name, std::uint64_t limit, std::uint64_t used, bool hit) {
  return put(ev::LimitState{.pid = pid, .name = name, .limit = limit, .used = used, .hit = hit}, true);
}
Story& Story::filter(int pid, const std::string& call, const std::string& action, int error, int fd) {
  return put(
      ev::FilterAct{.pid = pid, .tid = pid, .call = call, .action = action, .error = error, .count = 1, .fd = fd});
}

Story& Story::traced(const std::string& segment, const Rule& rule) {
  const auto s = parse(segment, false);
  ev::TraceHit hit{.netns = netns_,
                   .family = "inet",
                   .table = "lab",
                   .chain = rule.hook,
                   .hook = rule.hook,
                   .handle = rule.type == "policy" ? 0 : rule.handle,
                   .name = rule.name,
                   .text = rule.text,
                   .type = rule.type,
                   .verdict = rule.verdict,
                   .action = rule.action};
  hit.source = s.source;
  hit.target = s.target;
  hit.flags = rule.icmp ? "" : s.flags;
  hit.seq = s.seq;
  hit.ack = s.ack;
  hit.length = s.length;
  hit.icmp = rule.icmp;
  return put(hit, true);
}
Story& Story::rule(const Rule& rule, std::uint64_t packets, bool counted) {
  ev::RuleState state{.netns = netns_,
                      .family = "inet",
                      .table = "lab",
                      .chain = rule.hook,
                      .hook = rule.hook,
                      .handle = rule.handle,
                      .name = rule.name,
                      .text = rule.text,
                      .action = rule.action,
                      .counted = counted,
                      .packets = packets,
                      .when = "end"};
  return put(state, true);
}
Story& Story::dropped(const std::string& segment, const std::string& reason) {
  const auto s = parse(segment, false);
  return put(ev::KernelEvent{.kind = "drop",
                             .reason = reason,
                             .source = s.source,
                             .target = s.target,
                             .flags = s.flags,
                             .seq = s.seq,
                             .length = s.length});
}
Story& Story::built(char who, const std::string& reason, const std::string& state) {
  return put(ev::KernelEvent{
      .kind = "send-reset", .reason = reason, .state = state, .source = local_of(who), .target = peer_of(who)});
}
Story& Story::changed(const std::string& kind, const std::string& object, const std::string& detail) {
  return put(ev::Change{.netns = netns_, .kind = kind, .object = object, .detail = detail}, true);
}
Story& Story::counter(const std::string& name, std::int64_t change) {
  return put(ev::Counter{.netns = netns_, .name = name, .change = change}, true);
}
Story& Story::fact(const std::string& kind, const std::string& object, const std::string& value) {
  return put(ev::SystemFact{.kind = kind, .object = object, .value = value}, true);
}
Story& Story::socket(char who, const Socket& s) {
  ev::SocketState state{.netns = netns_,
                        .local = local_of(who),
                        .peer = peer_of(who),
                        .state = s.state,
                        .when = s.when,
                        .timer = s.timer,
                        .timer_ms = s.timer_ms,
                        .retransmits = s.retransmits,
                        .backoff = s.backoff,
                        .receive_queue = s.rq,
                        .unacked = s.unacked,
                        .not_sent = s.not_sent,
                        .send_window = s.send_window,
                        .inode = s.inode,
                        .pids = s.pids,
                        .options = s.options};
  return put(state, true);
}
Story& Story::listener(const std::string& local, std::uint32_t waiting, std::uint32_t limit, std::vector<int> pids,
                       const std::string& options, const std::string& when) {
  return put(ev::SocketState{.netns = netns_,
                             .local = address(local),
                             .state = when == "destroyed" ? "CLOSE" : "LISTEN",
                             .when = when,
                             .receive_queue = waiting,
                             .send_queue = limit,
                             .inode = 7,
                             .pids = std::move(pids),
                             .options = options},
             true);
}
Story& Story::flow(const std::string& kind, const std::string& osrc, const std::string& odst, const std::string& rsrc,
                   const std::string& rdst) {
  return put(ev::Flow{.netns = netns_,
                      .kind = kind,
                      .original_source = address(osrc),
                      .original_target = address(odst),
                      .reply_source = address(rsrc),
                      .reply_target = address(rdst)});
}

}  // namespace lab::verdict
