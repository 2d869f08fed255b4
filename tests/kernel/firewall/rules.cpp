#include "rules.hpp"

namespace lab::test {

using namespace std::chrono_literals;
using Op = Comparison::Op;

Rule counting(const std::string& name, const std::function<void(Rule&)>& change) {
  Rule rule;
  rule.name = name;
  rule.place = {"rules/test.toml", 3, 1};
  rule.action = RuleAction::count;
  if (change) change(rule);
  return rule;
}

scenario::After after_handshake() { return {.handshake = true}; }
scenario::After after_packets(std::uint64_t packets) { return {.packets = packets}; }
scenario::After after_bytes(std::uint64_t bytes) { return {.bytes = bytes}; }
scenario::After after_time(std::chrono::milliseconds time) { return {.time = time}; }

std::vector<Rule> one_of_each() {
  using Change = std::function<void(scenario::Match&)>;
  // Each of these both plain and negated.
  const std::vector<Change> keys = {
      [](auto& m) { m.after = after_handshake(); },
      [](auto& m) { m.after = after_packets(5); },
      [](auto& m) { m.after = after_bytes(4096); },
      [](auto& m) { m.after = after_time(90s); },
      [](auto& m) { m.flags_set = 8, m.flags_unset = 2; },
      [](auto& m) { m.flags_set = 1; },
      [](auto& m) { m.flags_set = 0x11; },
      [](auto& m) { m.flags_unset = 2; },
      [](auto& m) { m.flags_unset = 3; },
      [](auto& m) { m.state = {"established"}; },
      [](auto& m) {
        m.state = {"invalid", "untracked", "new", "related"};
      },
      [](auto& m) {
        m.length = {Op::more, 1000};
      },
      [](auto& m) {
        m.length = {Op::at_most, 60};
      },
      [](auto& m) {
        m.length = {Op::equal, 60};
      },
      [](auto& m) {
        m.length = {Op::not_equal, 60};
      },
      [](auto& m) {
        m.length = {Op::less, 1};
      },
      [](auto& m) {
        m.length = {Op::at_least, 0x12345};
      },
      [](auto& m) { m.payload = "GET "; },
      [](auto& m) { m.payload = "\x01"; },
      [](auto& m) { m.payload = std::string("\0A", 2); },
      [](auto& m) { m.payload = "0123456789abcdef"; },
      [](auto& m) { m.mark = 1; },
      [](auto& m) { m.ct_mark = 0xdeadbeef; },
      [](auto& m) { m.every = 3; },
      [](auto& m) { m.every = 1; },
      [](auto& m) { m.probability = 0.25; },
      [](auto& m) { m.probability = 1; },
      [](auto& m) {
        m.rate = {10, 1};
      },
      [](auto& m) {
        m.rate = {7, 60};
      },
      [](auto& m) {
        m.rate = {1, 3600};
      },
      [](auto& m) {
        m.rate = {1000, 86400};
      },
      [](auto& m) {
        m.connections = {Op::more, 2};
      },
      [](auto& m) {
        m.connections = {Op::at_most, 2};
      },
      [](auto& m) {
        m.connections = {Op::equal, 3};
      },
      [](auto& m) { m.icmp = "frag-needed"; },
      [](auto& m) { m.icmp = "port-unreachable"; },
      [](auto& m) { m.icmp = "host-unreachable"; },
      [](auto& m) { m.icmp = "net-unreachable"; },
      [](auto& m) { m.icmp = "admin-prohibited"; },
      [](auto& m) { m.icmp = "unreachable"; },
      [](auto& m) { m.icmp = "time-exceeded"; },
      [](auto& m) {
        m.after = after_handshake(), m.flags_set = 8, m.length = {Op::more, 100}, m.payload = "GET", m.every = 2;
      },
      [](auto& m) {
        m.after = after_packets(3), m.state = {"established"}, m.mark = 7, m.rate = {5, 1};
      },
      [](auto& m) {
        m.after = after_bytes(100), m.connections = {Op::at_least, 2}, m.probability = 0.5;
      },
  };
  std::vector<Rule> rules;
  const auto put = [&](const std::function<void(Rule&)>& change) {
    rules.push_back(counting("rule-" + std::to_string(rules.size()), change));
  };
  for (const auto direction : {Direction::to_server, Direction::to_client, Direction::both}) {
    put([&](Rule& r) { r.direction = direction; });
    for (const auto& key : keys) {
      put([&](Rule& r) { r.direction = direction, key(r.match); });
      put([&](Rule& r) { r.direction = direction, r.negated.emplace(), key(*r.negated); });
    }
  }
  for (const auto hook : {Hook::prerouting, Hook::input, Hook::forward, Hook::output, Hook::postrouting})
    for (const auto action : {RuleAction::drop, RuleAction::accept, RuleAction::count})
      put([&](Rule& r) { r.hook = hook, r.action = action, r.match.after = after_handshake(); });
  for (const auto hook : {Hook::prerouting, Hook::input, Hook::forward, Hook::output})
    for (const auto action : {RuleAction::reject_tcp_reset, RuleAction::reject_port, RuleAction::reject_host,
                              RuleAction::reject_net, RuleAction::reject_admin})
      put([&](Rule& r) { r.hook = hook, r.action = action; });
  put([](Rule& r) {
    r.match.after = after_handshake(), r.match.state = {"established"}, r.action = RuleAction::drop;
    r.negated.emplace(), r.negated->payload = "GET ", r.negated->flags_set = 4;
  });
  return rules;
}

namespace {

using Use = std::pair<const char*, std::function<bool(const scenario::Match&)>>;
const std::vector<Use> kUses = {
    {"handshake", [](auto& m) { return m.after && m.after->handshake; }},
    {"packets", [](auto& m) { return m.after && m.after->packets; }},
    {"bytes", [](auto& m) { return m.after && m.after->bytes; }},
    {"time", [](auto& m) { return m.after && m.after->time; }},
    {"flags", [](auto& m) { return m.flags_set || m.flags_unset; }},
    {"state", [](auto& m) { return !m.state.empty(); }},
    {"length", [](auto& m) { return m.length.has_value(); }},
    {"payload", [](auto& m) { return m.payload.has_value(); }},
    {"icmp", [](auto& m) { return !m.icmp.empty(); }},
    {"mark", [](auto& m) { return m.mark.has_value(); }},
    {"ct-mark", [](auto& m) { return m.ct_mark.has_value(); }},
    {"every", [](auto& m) { return m.every.has_value(); }},
    {"probability", [](auto& m) { return m.probability.has_value(); }},
    {"rate", [](auto& m) { return m.rate.has_value(); }},
    {"connections", [](auto& m) { return m.connections.has_value(); }},
};

}  // namespace

std::set<std::string> keys_of(const Rule& rule) {
  std::set<std::string> keys;
  for (const auto& [name, used] : kUses)
    if (used(rule.match) || (rule.negated && used(*rule.negated))) keys.insert(name);
  if (rule.negated) keys.insert("not");
  return keys;
}

std::set<std::string> every_key() {
  std::set<std::string> keys{"not"};
  for (const auto& [name, used] : kUses) keys.insert(name);
  return keys;
}

}  // namespace lab::test
