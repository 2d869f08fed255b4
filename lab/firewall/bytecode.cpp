#include "firewall/bytecode.hpp"

#include <endian.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include <array>
#include <bit>
#include <cstring>

#include "firewall/compiler.hpp"
#include "firewall/expressions.hpp"
#include "firewall/netfilter.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

constexpr Field kSourcePort{NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2}, kTargetPort{NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2};
constexpr Field kTcpFlags{NFT_PAYLOAD_TRANSPORT_HEADER, 13, 1};

Field address_field(Family family, Side side) {
  if (family == Family::ipv4) return {NFT_PAYLOAD_NETWORK_HEADER, side == Side::source ? 12u : 16u, 4};
  return {NFT_PAYLOAD_NETWORK_HEADER, side == Side::source ? 8u : 24u, 16};
}

// enum nft_cmp_ops follows the order of scenario::Comparison's, save for names.
std::uint32_t comparison(Operator op) {
  switch (op) {
    case Operator::equal:
      return NFT_CMP_EQ;
    case Operator::not_equal:
      return NFT_CMP_NEQ;
    case Operator::less:
      return NFT_CMP_LT;
    case Operator::at_most:
      return NFT_CMP_LTE;
    case Operator::more:
      return NFT_CMP_GT;
    case Operator::at_least:
      return NFT_CMP_GTE;
  }
  return NFT_CMP_EQ;
}
bool ordered(Operator op) { return op != Operator::equal && op != Operator::not_equal; }
std::uint32_t equality(bool negated) { return negated ? NFT_CMP_NEQ : NFT_CMP_EQ; }

// One statement each, in the expressions that nft makes of it.
class Emitter {
 public:
  Emitter(nftnl_rule* rule, std::uint32_t set_id) : rule_(rule), set_id_(set_id) {}

  void operator()(const nft::Address& a) {
    rule_.family(a.address.family);
    rule_.load(address_field(a.address.family, a.side));
    rule_.compare(NFT_CMP_EQ, a.address.bytes.data(), a.address.size());
  }
  void operator()(const nft::Port& p) {
    rule_.protocol(IPPROTO_TCP);
    rule_.load(p.side == Side::source ? kSourcePort : kTargetPort);
    rule_.compare_be16(p.port);
  }
  void operator()(const nft::Either& e) {
    if (e.address) rule_.family(e.address->family);
    rule_.protocol(IPPROTO_TCP);
    if (e.address) {
      const auto of = e.address->family;
      rule_.load_all({address_field(of, Side::source), kSourcePort, address_field(of, Side::target), kTargetPort});
    } else {
      rule_.load_all({kSourcePort, kTargetPort});
    }
    auto* lookup = rule_.add("lookup");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, "__set%d");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, set_id_);
  }
  void operator()(const nft::Flags& f) {
    rule_.load(kTcpFlags);
    rule_.mask(f.mask, 1);
    const std::uint8_t value = f.value;
    rule_.compare(equality(f.negated), &value, 1);
  }
  void operator()(const nft::State& s) {
    rule_.conntrack(NFT_CT_STATE);
    rule_.mask(s.bits, 4);
    rule_.compare32(s.negated ? NFT_CMP_EQ : NFT_CMP_NEQ, 0);
  }
  void operator()(const nft::ConntrackDirection& d) {
    rule_.conntrack(NFT_CT_DIRECTION);
    const std::uint8_t direction = d.reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
    rule_.compare(NFT_CMP_EQ, &direction, 1);
  }
  void operator()(const nft::ConntrackCount& c) {
    auto* ct = rule_.conntrack(c.bytes ? NFT_CT_BYTES : NFT_CT_PKTS);
    if (c.reply) nftnl_expr_set_u8(ct, NFTNL_EXPR_CT_DIR, *c.reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
    rule_.big_endian(8);
    const std::uint64_t value = htobe64(c.value);
    rule_.compare(comparison(c.op), &value, sizeof value);
  }
  void operator()(const nft::Length& l) {
    rule_.meta(NFT_META_LEN);
    if (ordered(l.op)) rule_.big_endian(4);
    rule_.compare32(comparison(l.op), ordered(l.op) ? htobe32(l.value) : l.value);
  }
  void operator()(const nft::Mark& m) {
    if (m.conntrack)
      rule_.conntrack(NFT_CT_MARK);
    else
      rule_.meta(NFT_META_MARK);
    rule_.compare32(equality(m.negated), m.value);
  }
  void operator()(const nft::Payload& p) {
    rule_.load({NFT_PAYLOAD_INNER_HEADER, 0, static_cast<std::uint32_t>(p.bytes.size())});
    rule_.compare(equality(p.negated), p.bytes.data(), p.bytes.size());
  }
  // nft reads type and code in one go where both are compared for equality.
  void operator()(const nft::Icmp& i) {
    rule_.family(i.family);
    rule_.protocol(static_cast<std::uint8_t>(i.family == Family::ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
    if (i.code && !i.type_negated && !i.code_negated) {
      const std::uint8_t both[] = {i.type, *i.code};
      rule_.load({NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2});
      return rule_.compare(NFT_CMP_EQ, both, sizeof both);
    }
    rule_.load({NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1});
    rule_.compare(equality(i.type_negated), &i.type, 1);
    if (!i.code) return;
    rule_.load({NFT_PAYLOAD_TRANSPORT_HEADER, 1, 1});
    rule_.compare(equality(i.code_negated), &*i.code, 1);
  }
  void operator()(const nft::Quoted& q) {
    const bool v4 = q.family == Family::ipv4;
    const std::uint8_t tcp = IPPROTO_TCP;
    rule_.load({NFT_PAYLOAD_TRANSPORT_HEADER, v4 ? 17u : 14u, 1});
    rule_.compare(NFT_CMP_EQ, &tcp, 1);
    rule_.load({NFT_PAYLOAD_TRANSPORT_HEADER, (v4 ? 28u : 48u) + (q.side == Side::target ? 2u : 0u), 2});
    rule_.compare_be16(q.port);
  }
  void operator()(const nft::Member& m) {
    rule_.load_all({kSourcePort, kTargetPort});
    auto* lookup = rule_.add("lookup");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, m.set.c_str());
    if (m.negated) nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  }
  void operator()(const nft::Remember& r) {
    static constexpr std::uint32_t kOperations[] = {NFT_DYNSET_OP_ADD, NFT_DYNSET_OP_UPDATE, NFT_DYNSET_OP_DELETE};
    if (r.reversed)
      rule_.load_all({kTargetPort, kSourcePort});
    else
      rule_.load_all({kSourcePort, kTargetPort});
    auto* change = rule_.add("dynset");
    nftnl_expr_set_u32(change, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
    nftnl_expr_set_u32(change, NFTNL_EXPR_DYNSET_OP, kOperations[static_cast<int>(r.change)]);
    nftnl_expr_set_str(change, NFTNL_EXPR_DYNSET_SET_NAME, r.set.c_str());
  }
  void operator()(const nft::Connections& c) {
    auto* count = rule_.add("connlimit");
    nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_COUNT, c.count);
    if (c.over) nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
  }
  void operator()(const nft::Limit& l) {
    auto* limit = rule_.add("limit");
    nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, l.count);
    nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, l.unit_s);
    nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, 5);
    nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_FLAGS, l.over ? std::uint32_t{NFT_LIMIT_F_INV} : 0);
  }
  void operator()(const nft::Every& e) {
    rule_.number(NFT_NG_INCREMENTAL, e.modulus);
    rule_.compare32(equality(e.negated), e.value);
  }
  void operator()(const nft::Chance& c) {
    rule_.number(NFT_NG_RANDOM, c.modulus);
    rule_.big_endian(4);
    rule_.compare32(comparison(c.op()), htobe32(c.bound()));
  }
  void operator()(const nft::Trace&) {
    auto* one = rule_.add("immediate");
    const std::uint8_t on = 1;
    nftnl_expr_set_u32(one, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set(one, NFTNL_EXPR_IMM_DATA, &on, sizeof on);
    auto* trace = rule_.add("meta");
    nftnl_expr_set_u32(trace, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
    nftnl_expr_set_u32(trace, NFTNL_EXPR_META_SREG, NFT_REG_1);
  }
  void operator()(const nft::Counter&) { rule_.add("counter"); }
  void operator()(const nft::Verdict& v) {
    auto* verdict = rule_.add("immediate");
    nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_VERDICT, v.accept ? NF_ACCEPT : NF_DROP);
  }
  void operator()(const nft::Reject& r) {
    auto* reject = rule_.add("reject");
    nftnl_expr_set_u32(reject, NFTNL_EXPR_REJECT_TYPE, r.type);
    nftnl_expr_set_u8(reject, NFTNL_EXPR_REJECT_CODE, r.code);
  }

 private:
  Expressions rule_;
  std::uint32_t set_id_;
};

// nft's own form: type 0, length with the NUL, the text (struct nftnl_udata).
void put_comment(nftnl_rule* rule, const std::string& comment) {
  std::array<char, 256> data{};
  const auto length = std::min<std::size_t>(comment.size(), 127);
  data[0] = NFTNL_UDATA_RULE_COMMENT;
  data[1] = static_cast<char>(length + 1);
  std::memcpy(data.data() + 2, comment.data(), length);
  nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, data.data(), static_cast<std::uint32_t>(length + 3));
}

}  // namespace

void FreeRule::operator()(nftnl_rule* rule) const { nftnl_rule_free(rule); }

RuleObject to_rule(const Line& line, std::uint32_t set_id) {
  RuleObject rule(nftnl_rule_alloc());
  if (!rule) throw sys::LabError("libnftnl: no memory for a rule");
  nftnl_rule_set_u32(rule.get(), NFTNL_RULE_FAMILY, NFPROTO_INET);
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, kTable);
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, line.chain.c_str());
  Emitter emit(rule.get(), set_id);
  for (const auto& statement : line.statements) std::visit(emit, statement);
  put_comment(rule.get(), line.comment);
  return rule;
}

}  // namespace lab::firewall
