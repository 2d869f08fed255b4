#include "firewall/compile.hpp"

#include <utility>

#include "firewall/netfilter.hpp"
#include "firewall/vocabulary.hpp"

namespace lab::firewall {
namespace {

using scenario::Direction;
using scenario::Match;
using scenario::Rule;
using scenario::RuleAction;

constexpr std::uint32_t kChances = 1'000'000;

// One rule. It is several lines where one can't say "or": they exclude each other.
class RuleCompiler {
 public:
  RuleCompiler(const Way& way, bool trace, Inventory& there, Program& program, const Rule& rule, std::size_t index)
      : way_(way),
        trace_(trace),
        program_(program),
        rule_(rule),
        index_(index),
        helpers_(way, there, program, rule, index) {}

  void compile();

 private:
  const Match& match() const { return rule_.match; }
  // The negated keys, or none.
  const Match& negated() const {
    static const Match none;
    return rule_.negated ? *rule_.negated : none;
  }
  bool is_icmp() const { return !match().icmp.empty() || !negated().icmp.empty(); }

  void add(const Statement& statement) {
    for (auto& line : lines_) line.push_back(statement);
  }
  void either(const std::vector<std::vector<Statement>>& ways);

  void start(const std::vector<Statement>& statements);
  void icmp();
  void counts();
  void after(const Match& from, bool is_negated);
  void header(const Match& from, bool is_negated);
  void counting(const Match& from, bool is_negated);
  void act();
  nft::Icmp kind_of(const std::string& name) const;
  nft::Reject answer(std::string_view kind, std::uint8_t common) const;

  const Way& way_;
  bool trace_;
  Program& program_;
  const Rule& rule_;
  std::size_t index_;
  Helpers helpers_;
  std::vector<std::vector<Statement>> lines_{{}};
};

void RuleCompiler::either(const std::vector<std::vector<Statement>>& ways) {
  std::vector<std::vector<Statement>> product;
  for (const auto& line : lines_) {
    for (const auto& way : ways) {
      product.push_back(line);
      product.back().insert(product.back().end(), way.begin(), way.end());
    }
  }
  lines_ = std::move(product);
}

nft::Icmp RuleCompiler::kind_of(const std::string& name) const {
  const auto* kind = icmp_kind(name);
  const bool v4 = way_.family == Family::ipv4;
  return {way_.family, v4 ? kind->type4 : kind->type6, v4 ? kind->code4 : kind->code6, false, false};
}

void RuleCompiler::icmp() {
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
  const nft::Quoted servers{way_.family, Side::source, way_.port}, clients{way_.family, Side::target, way_.port};
  if (rule_.direction == Direction::both)
    either({{servers}, {clients}});
  else
    add(rule_.direction == Direction::to_server ? servers : clients);
}

// Conntrack's original direction is that of the first packet it saw: the server's, where the server spoke first after
// the first ct rule came. The packet's own direction tells which of the two counts is meant.
void RuleCompiler::counts() {
  std::vector<nft::ConntrackCount> wanted;
  const auto collect = [&](const Match& from, Operator op) {
    if (!from.after) return;
    if (from.after->packets) wanted.push_back({false, {}, op, *from.after->packets});
    if (from.after->bytes) wanted.push_back({true, {}, op, *from.after->bytes});
  };
  collect(match(), Operator::more);
  collect(negated(), Operator::at_most);
  if (wanted.empty()) return;
  if (rule_.direction == Direction::both) {
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

void RuleCompiler::after(const Match& from, bool is_negated) {
  if (!from.after) return;
  if (from.after->handshake) add(nft::Member{helpers_.handshake(), !is_negated});
  if (from.after->time) add(nft::Member{helpers_.age(*from.after->time), !is_negated});
}

void RuleCompiler::header(const Match& from, bool is_negated) {
  const auto flags = static_cast<std::uint8_t>(from.flags_set | from.flags_unset);
  if (flags) add(nft::Flags{flags, from.flags_set, is_negated});
  if (!from.state.empty()) {
    std::uint32_t bits = 0;
    for (const auto& name : from.state) bits |= state_bit(name);
    add(nft::State{bits, is_negated});
  }
  if (from.length) {
    const auto op = is_negated ? opposite(from.length->op) : from.length->op;
    add(nft::Length{op, static_cast<std::uint32_t>(from.length->value)});
  }
  if (from.payload) add(nft::Payload{*from.payload, is_negated});
  if (from.mark) add(nft::Mark{false, *from.mark, is_negated});
  if (from.ct_mark) add(nft::Mark{true, *from.ct_mark, is_negated});
}

// These count what they see: they come behind everything else.
void RuleCompiler::counting(const Match& from, bool is_negated) {
  if (from.connections) {
    auto member = helpers_.excess(*from.connections);
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

// What nft prints for icmpx in a rule about one family it would read back as that family's own ICMP: say that at once.
nft::Reject RuleCompiler::answer(std::string_view kind, std::uint8_t common) const {
  if (!is_icmp() && !way_.server) return {NFT_REJECT_ICMPX_UNREACH, common, {}};
  const auto* known = icmp_kind(kind);
  return {NFT_REJECT_ICMP_UNREACH, *(way_.family == Family::ipv4 ? known->code4 : known->code6), way_.family};
}

void RuleCompiler::act() {
  if (rule_.is_fault() && trace_) add(nft::Trace{});
  add(nft::Counter{});
  switch (rule_.action) {
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

// A vector that grows one statement at a time copies all of them each time: a thirtieth of a large ruleset's
// compilation.
void RuleCompiler::start(const std::vector<Statement>& statements) {
  constexpr std::size_t typical = 8;
  lines_.front().reserve(typical);
  lines_.front().insert(lines_.front().end(), statements.begin(), statements.end());
}

void RuleCompiler::compile() {
  if (is_icmp())
    icmp();
  else
    start(way_.statements(rule_.direction));
  after(match(), false);
  after(negated(), true);
  counts();
  header(match(), false);
  header(negated(), true);
  counting(match(), false);
  counting(negated(), true);
  act();
  const auto chain = helpers_.chain();
  for (auto& line : lines_) program_.lines.push_back({chain, std::move(line), rule_.name, false, false, index_});
}

}  // namespace

Program Compiler::compile(const std::vector<Rule>& rules) {
  Program program;
  program.lines.reserve(rules.size());
  for (std::size_t i = 0; i < rules.size(); ++i) RuleCompiler(way_, trace_, there_, program, rules[i], i).compile();
  return program;
}

}  // namespace lab::firewall
