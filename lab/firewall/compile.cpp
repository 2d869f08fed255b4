#include "firewall/compile.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "firewall/netfilter.hpp"
#include "firewall/vocabulary.hpp"

namespace lab::firewall {

using scenario::Direction;
using scenario::Hook;
using scenario::Match;
using scenario::Rule;
using scenario::RuleAction;

namespace {

constexpr std::uint8_t kSyn = 2, kRst = 4, kAck = 16;
// TCP gives a SYN up after some 127 s (tcp_syn_retries 6); each retransmission renews the element.
constexpr std::uint64_t kHandshakeTimeout_ms = 5 * 60 * 1000;
constexpr std::uint32_t kChances = 1'000'000;

const nft::Flags kBegins{kSyn | kAck, kSyn, false};
const nft::Flags kAnswers{kSyn | kAck, kSyn | kAck, false};
const nft::Flags kEnds{kSyn | kRst | kAck, kAck, false};

std::optional<IpAddress> server_of(const Flow& flow) {
  IpAddress address{flow.family, flow.server_address, std::vector<std::uint8_t>(flow.family == Family::ipv4 ? 4 : 16)};
  if (inet_pton(flow.family == Family::ipv4 ? AF_INET : AF_INET6, flow.server_address.c_str(), address.bytes.data()) !=
      1)
    return {};
  return address;
}

// On loopback the port is enough, and a server of both families is met by its clients of either.
bool tells(const IpAddress& address) {
  const auto& b = address.bytes;
  const bool any = std::all_of(b.begin(), b.end(), [](auto byte) { return byte == 0; });
  const bool loopback = b.size() == 4
                            ? b[0] == 127
                            : std::all_of(b.begin(), b.end() - 1, [](auto byte) { return byte == 0; }) && b[15] == 1;
  return !any && !loopback;
}

std::optional<IpAddress> telling_address(const Flow& flow) {
  auto address = server_of(flow);
  if (address && tells(*address)) return address;
  return {};
}

std::string name_of_hook(Hook hook) { return std::string(scenario::name_of(hook)); }

}  // namespace

std::vector<Statement> direction_of(Direction direction, const Flow& flow) {
  const auto address = telling_address(flow);
  if (direction == Direction::both) return {nft::Either{flow.server_port, address}};
  const auto side = direction == Direction::to_server ? Side::target : Side::source;
  std::vector<Statement> statements;
  if (address) statements.emplace_back(nft::Address{side, *address});
  statements.emplace_back(nft::Port{side, flow.server_port});
  return statements;
}

Compiler::Compiler(Flow flow, bool trace) : flow_(std::move(flow)), trace_(trace) {}

void Compiler::know_set(const std::string& name) {
  sets_.insert(name);
  const auto dash = name.rfind('-');
  unsigned number = 0;
  if (dash == std::string::npos) return;
  const auto* end = name.data() + name.size();
  if (std::from_chars(name.data() + dash + 1, end, number).ptr == end && number >= next_) next_ = number + 1;
}

std::string Compiler::numbered(const char* kind) { return fmt::format("{}-{}", kind, next_++); }

// One rule into its program. A rule is several lines where one can't say "or": they exclude each other.
struct RuleCompiler {
  Compiler& compiler;
  Program& program;
  const Rule& rule;
  std::size_t index;
  std::vector<std::vector<Statement>> lines{{}};

  const Match& match() const { return rule.match; }
  // The negated keys, or none.
  const Match& negated() const {
    static const Match none;
    return rule.negated ? *rule.negated : none;
  }

  void add(const Statement& statement) {
    for (auto& line : lines) line.push_back(statement);
  }
  void add_all(const std::vector<Statement>& statements) {
    for (const auto& statement : statements) add(statement);
  }
  void either(const std::vector<std::vector<Statement>>& ways) {
    std::vector<std::vector<Statement>> product;
    for (const auto& line : lines) {
      for (const auto& way : ways) {
        product.push_back(line);
        product.back().insert(product.back().end(), way.begin(), way.end());
      }
    }
    lines = std::move(product);
  }

  void chain(Hook hook, const char* suffix, int priority) {
    const auto name = name_of_hook(hook) + suffix;
    if (compiler.chains_.insert(name).second) program.chains.push_back({name, hook, priority});
  }
  void set(const std::string& name, std::uint64_t timeout_ms) {
    if (compiler.sets_.insert(name).second) program.sets.push_back({name, timeout_ms});
  }
  void helper(const std::string& in, Direction direction, std::vector<Statement> statements, const std::string& what,
              bool at_head = false) {
    auto all = direction_of(direction, compiler.flow_);
    all.insert(all.end(), statements.begin(), statements.end());
    all.emplace_back(nft::Counter{});
    program.lines.push_back({in, std::move(all), kHelper + what, true, at_head, index});
  }

  // The change, for each direction that the rule looks the flow up in; stated by a segment towards the server.
  std::vector<Statement> remember(nft::Change change, const std::string& name) const {
    std::vector<Statement> statements;
    if (rule.direction != Direction::to_client) statements.emplace_back(nft::Remember{change, name, false});
    if (rule.direction != Direction::to_server) statements.emplace_back(nft::Remember{change, name, true});
    return statements;
  }

  // The set of flows at this hook whose handshake is under way, with the rules that keep it.
  std::string handshake() {
    const auto hook = name_of_hook(rule.hook);
    const auto name = "handshake-" + hook;
    if (compiler.sets_.count(name)) return name;
    using nft::Change;
    set(name, kHandshakeTimeout_ms);
    chain(rule.hook, "-before", -1);
    chain(rule.hook, "", 0);
    chain(rule.hook, "-after", 1);
    helper(hook + "-before", Direction::to_server,
           {kBegins, nft::Remember{Change::update, name, false}, nft::Remember{Change::update, name, true}},
           "handshake begins");
    helper(hook + "-before", Direction::to_client, {kAnswers, nft::Remember{Change::update, name, false}},
           "handshake is answered");
    helper(hook + "-after", Direction::to_server, {kEnds, nft::Remember{Change::remove, name, false}},
           "handshake is over");
    helper(hook + "-after", Direction::to_client, {kAnswers, nft::Remember{Change::remove, name, false}},
           "handshake's answer is through");
    return name;
  }

  // Flows younger than `limit`, counted from their first SYN: a repeated one finds its flow in the handshake's set.
  std::string age(scenario::Duration limit) {
    const auto begun = handshake();
    const auto name = compiler.numbered("age");
    set(name, static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(limit).count()));
    std::vector<Statement> statements{kBegins, nft::Member{begun, true}};
    for (auto& each : remember(nft::Change::update, name)) statements.push_back(std::move(each));
    helper(name_of_hook(rule.hook) + "-before", Direction::to_server, std::move(statements), "first SYN, " + name,
           true);
    return name;
  }

  // Flows that were in excess of `wanted` when they began. Returns the set and whether its members are meant.
  nft::Member excess(const scenario::Comparison& wanted) {
    const bool local = !telling_address(compiler.flow_);
    const auto hook = rule.hook == Hook::output || local ? Hook::output : Hook::prerouting;
    const auto name = compiler.numbered("excess"), in = name_of_hook(hook) + "-before";
    set(name, 0);
    chain(hook, "-before", -1);
    const auto count = [&](std::uint64_t over, nft::Change change) {
      std::vector<Statement> statements{kBegins, nft::Connections{static_cast<std::uint32_t>(over), true}};
      for (auto& each : remember(change, name)) statements.push_back(std::move(each));
      helper(in, Direction::to_server, std::move(statements), fmt::format("more than {} connections, {}", over, name));
    };
    std::vector<Statement> forget{kBegins};
    for (auto& each : remember(nft::Change::remove, name)) forget.push_back(std::move(each));
    helper(in, Direction::to_server, std::move(forget), "connection begins, " + name);

    const bool inclusive = wanted.op == Operator::at_least || wanted.op == Operator::less ||
                           wanted.op == Operator::equal || wanted.op == Operator::not_equal;
    count(inclusive ? wanted.value - 1 : wanted.value, nft::Change::add);
    if (wanted.op == Operator::equal || wanted.op == Operator::not_equal) count(wanted.value, nft::Change::remove);
    const bool within =
        wanted.op == Operator::at_most || wanted.op == Operator::less || wanted.op == Operator::not_equal;
    return {name, within};
  }

  void icmp() {
    const auto family = compiler.flow_.family;
    const auto kind_of = [&](const std::string& name) {
      const auto* kind = icmp_kind(name);
      return nft::Icmp{family, family == Family::ipv4 ? kind->type4 : kind->type6,
                       family == Family::ipv4 ? kind->code4 : kind->code6, false, false};
    };
    if (!match().icmp.empty()) add(kind_of(match().icmp));
    if (!negated().icmp.empty()) {
      auto other_type = kind_of(negated().icmp), other_code = other_type;
      other_type.code.reset();
      other_type.type_negated = true;
      other_code.code_negated = true;
      if (other_code.code)
        either({{other_type}, {other_code}});
      else
        add(other_type);
    }
    // An answer that travels to the server quotes a segment that the server sent.
    const nft::Quoted by_server{family, Side::source, compiler.flow_.server_port},
        by_client{family, Side::target, compiler.flow_.server_port};
    if (rule.direction == Direction::both)
      either({{by_server}, {by_client}});
    else
      add(rule.direction == Direction::to_server ? by_server : by_client);
  }

  // Conntrack's original direction is that of the first packet it saw: the server's, where the server spoke first
  // after the first ct rule came. The packet's own direction tells which of the two counts is meant.
  void counts() {
    std::vector<nft::ConntrackCount> wanted;
    const auto collect = [&](const Match& from, Operator op) {
      if (!from.after) return;
      if (from.after->packets) wanted.push_back({false, {}, op, *from.after->packets});
      if (from.after->bytes) wanted.push_back({true, {}, op, *from.after->bytes});
    };
    collect(match(), Operator::more);
    collect(negated(), Operator::at_most);
    if (wanted.empty()) return;
    if (rule.direction == Direction::both) {
      for (const auto& each : wanted) add(each);
      return;
    }
    std::vector<std::vector<Statement>> ways;
    for (const bool reply : {false, true}) {
      ways.push_back({nft::ConntrackDirection{reply}});
      for (auto each : wanted) {
        each.reply = reply;
        ways.back().emplace_back(each);
      }
    }
    either(ways);
  }

  void after(const Match& from, bool is_negated) {
    if (!from.after) return;
    if (from.after->handshake) add(nft::Member{handshake(), !is_negated});
    if (from.after->time) add(nft::Member{age(*from.after->time), !is_negated});
  }

  void header(const Match& from, bool is_negated) {
    if (from.flags_set | from.flags_unset)
      add(nft::Flags{static_cast<std::uint8_t>(from.flags_set | from.flags_unset), from.flags_set, is_negated});
    if (!from.state.empty()) {
      std::uint32_t bits = 0;
      for (const auto& name : from.state) bits |= state_bit(name);
      add(nft::State{bits, is_negated});
    }
    if (from.length)
      add(nft::Length{is_negated ? opposite(from.length->op) : from.length->op,
                      static_cast<std::uint32_t>(from.length->value)});
    if (from.payload) add(nft::Payload{*from.payload, is_negated});
    if (from.mark) add(nft::Mark{false, *from.mark, is_negated});
    if (from.ct_mark) add(nft::Mark{true, *from.ct_mark, is_negated});
  }

  // These count what they see: they come behind everything else.
  void counting(const Match& from, bool is_negated) {
    if (from.connections) {
      auto member = excess(*from.connections);
      member.negated ^= is_negated;
      add(member);
    }
    if (from.rate) add(nft::Limit{from.rate->count, from.rate->unit_s, !is_negated});
    if (from.probability)
      add(nft::Chance{kChances, static_cast<std::uint32_t>(*from.probability * kChances + 0.5), is_negated});
    if (from.every) {
      const auto every = static_cast<std::uint32_t>(*from.every);
      add(nft::Every{every, every - 1, is_negated});
    }
  }

  bool is_icmp() const { return !match().icmp.empty() || !negated().icmp.empty(); }

  // What nft prints for icmpx in a rule about one family it would read back as that family's own ICMP: say that at
  // once.
  nft::Reject answer(std::string_view kind, std::uint8_t common) const {
    if (!is_icmp() && !telling_address(compiler.flow_)) return {NFT_REJECT_ICMPX_UNREACH, common, {}};
    const auto family = compiler.flow_.family;
    const auto* known = icmp_kind(kind);
    return {NFT_REJECT_ICMP_UNREACH, *(family == Family::ipv4 ? known->code4 : known->code6), family};
  }

  void act() {
    if (rule.is_fault() && compiler.trace_) add(nft::Trace{});
    add(nft::Counter{});
    switch (rule.action) {
      case RuleAction::drop:
        return add(nft::Verdict{false});
      case RuleAction::accept:
        return add(nft::Verdict{true});
      case RuleAction::count:
        return;
      case RuleAction::reject_tcp_reset:
        return add(nft::Reject{NFT_REJECT_TCP_RST, 0, {}});
      case RuleAction::reject_port:
        return add(answer("port-unreachable", NFT_REJECT_ICMPX_PORT_UNREACH));
      case RuleAction::reject_host:
        return add(answer("host-unreachable", NFT_REJECT_ICMPX_HOST_UNREACH));
      case RuleAction::reject_net:
        return add(answer("net-unreachable", NFT_REJECT_ICMPX_NO_ROUTE));
      case RuleAction::reject_admin:
        return add(answer("admin-prohibited", NFT_REJECT_ICMPX_ADMIN_PROHIBITED));
    }
  }

  void compile() {
    if (is_icmp())
      icmp();
    else
      add_all(direction_of(rule.direction, compiler.flow_));
    after(match(), false);
    after(negated(), true);
    counts();
    header(match(), false);
    header(negated(), true);
    counting(match(), false);
    counting(negated(), true);
    act();
    chain(rule.hook, "", 0);
    for (auto& line : lines)
      program.lines.push_back({name_of_hook(rule.hook), std::move(line), rule.name, false, false, index});
  }
};

Program Compiler::compile(const std::vector<Rule>& rules) {
  Program program;
  program.lines.reserve(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) RuleCompiler{*this, program, rules[i], i}.compile();
  return program;
}

}  // namespace lab::firewall
