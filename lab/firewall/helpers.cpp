#include "firewall/helpers.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>

namespace lab::firewall {

using nft::Change;
using scenario::Direction;
using scenario::Hook;

namespace {

constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
// TCP gives a SYN up after some 127 s (tcp_syn_retries 6); each retransmission renews the element.
constexpr std::uint64_t kHandshakeTimeout_ms = 5 * 60 * 1000;
// A SYN that was repeated before its answer came is on its way when the handshake ends: it comes by within a moment.
// The shorter this is, the less it matters to a flow of the same ports whose predecessor ended unseen at this hook.
constexpr std::uint64_t kOpenedTimeout_ms = 3000;

const nft::Flags kBegins{kSyn | kAck, kSyn, false};
const nft::Flags kAnswers{kSyn | kAck, kSyn | kAck, false};
const nft::Flags kEnds{kSyn | kRst | kAck, kAck, false};
const nft::Flags kCloses{kFin | kRst, 0, true}, kAborts{kRst, kRst, false};

std::string name_of_hook(Hook hook) { return std::string(scenario::name_of(hook)); }

}  // namespace

Way::Way(const Flow& flow)
    : family(flow.family), port(flow.server_port), server(parse_address(flow.family, flow.server_address)) {
  if (server && (is_any(*server) || is_loopback(*server))) server.reset();
}

std::vector<Statement> Way::statements(Direction direction) const {
  if (direction == Direction::both) return {nft::Either{port, server}};
  const auto side = direction == Direction::to_server ? Side::target : Side::source;
  if (server) return {nft::Address{side, *server}, nft::Port{side, port}};
  return {nft::Port{side, port}};
}

void Inventory::know_set(const std::string& name) {
  sets.insert(name);
  const auto dash = name.rfind('-');
  if (dash == std::string::npos) return;
  unsigned number = 0;
  const auto* end = name.data() + name.size();
  if (std::from_chars(name.data() + dash + 1, end, number).ptr == end && number >= next) next = number + 1;
}

std::string Inventory::numbered(const char* kind) { return fmt::format("{}-{}", kind, next++); }

std::string Helpers::chain(Hook hook, const char* suffix, int priority) {
  auto name = name_of_hook(hook) + suffix;
  if (there_.chains.insert(name).second) program_.chains.push_back({name, hook, priority});
  return name;
}

void Helpers::set(const std::string& name, std::uint64_t timeout_ms) {
  if (there_.sets.insert(name).second) program_.sets.push_back({name, timeout_ms});
}

std::string Helpers::opened_set() const { return "opened-" + name_of_hook(rule_.hook); }

void Helpers::put(const std::string& in, Direction direction, std::vector<Statement> statements,
                  const std::string& what, bool at_head) {
  auto all = way_.statements(direction);
  all.insert(all.end(), statements.begin(), statements.end());
  all.emplace_back(nft::Counter{});
  program_.lines.push_back({in, std::move(all), kHelper + what, true, at_head, index_});
}

// For each direction that the rule looks flows up in; a segment towards the server states it.
void Helpers::put_change(std::vector<Statement>& statements, Change change, const std::string& name) const {
  if (rule_.direction != Direction::to_client) statements.emplace_back(nft::Remember{change, name, false});
  if (rule_.direction != Direction::to_server) statements.emplace_back(nft::Remember{change, name, true});
}

// A SYN that comes by when its flow is open already begins nothing: the client had repeated it before the answer came,
// and behind it data would pass for the handshake's last ACK. Ports that are used again had their connection closed.
std::string Helpers::handshake() {
  const auto name = "handshake-" + name_of_hook(rule_.hook), opened = opened_set();
  if (there_.sets.count(name)) return name;
  set(name, kHandshakeTimeout_ms);
  set(opened, kOpenedTimeout_ms);
  const auto before = chain(rule_.hook, "-before", -1);
  chain();
  const auto after = chain(rule_.hook, "-after", 1);
  const nft::Remember forth{Change::update, name, false}, back{Change::update, name, true},
      gone{Change::remove, name, false}, answers_gone{Change::remove, name, true};
  put(before, Direction::to_server, {kBegins, nft::Member{opened, true}, forth, back}, "handshake begins");
  // A repeated SYN,ACK begets another last ACK, which is the handshake's too.
  put(before, Direction::to_client, {kAnswers, forth, back}, "handshake is answered");
  put(before, Direction::to_server, {kCloses, nft::Remember{Change::remove, opened, false}}, "client closes");
  put(before, Direction::to_client, {kAborts, nft::Remember{Change::remove, opened, true}}, "server aborts");
  put(after, Direction::to_server,
      {kEnds, nft::Member{name, false}, gone, answers_gone, nft::Remember{Change::update, opened, false}},
      "handshake is over");
  put(after, Direction::to_client, {kAnswers, gone}, "handshake's answer is through");
  return name;
}

// A repeated SYN finds its flow in one of the handshake's sets and doesn't count: hence the place before what fills
// that.
std::string Helpers::age(scenario::Duration limit) {
  const auto begun = handshake();
  const auto name = there_.numbered("age");
  set(name, static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()));
  std::vector<Statement> statements{kBegins, nft::Member{begun, true}, nft::Member{opened_set(), true}};
  put_change(statements, Change::update, name);
  put(chain(rule_.hook, "-before", -1), Direction::to_server, std::move(statements), "first SYN, " + name, true);
  return name;
}

nft::Member Helpers::excess(const scenario::Comparison& wanted) {
  const auto hook = rule_.hook == Hook::output || !way_.server ? Hook::output : Hook::prerouting;
  const auto name = there_.numbered("excess"), in = chain(hook, "-before", -1);
  set(name, 0);
  std::vector<Statement> forget{kBegins};
  put_change(forget, Change::remove, name);
  put(in, Direction::to_server, std::move(forget), "connection begins, " + name);
  const auto when_over = [&](std::uint64_t count, Change change) {
    std::vector<Statement> statements{kBegins, nft::Connections{static_cast<std::uint32_t>(count), true}};
    put_change(statements, change, name);
    put(in, Direction::to_server, std::move(statements), fmt::format("more than {} connections, {}", count, name));
  };

  const bool exactly = wanted.op == Operator::equal || wanted.op == Operator::not_equal;
  const bool inclusive = exactly || wanted.op == Operator::at_least || wanted.op == Operator::less;
  when_over(inclusive ? wanted.value - 1 : wanted.value, Change::add);
  if (exactly) when_over(wanted.value, Change::remove);
  const bool within = wanted.op == Operator::at_most || wanted.op == Operator::less || wanted.op == Operator::not_equal;
  return {name, within};
}

}  // namespace lab::firewall
