#include "firewall/bytecode.hpp"

#include <endian.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include <array>
#include <bit>
#include <cstring>

#include "firewall/compiler.hpp"
#include "firewall/netfilter.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

template <class T>
T need(T pointer) {
  if (!pointer) throw sys::LabError("libnftnl: no memory for a rule");
  return pointer;
}

// nft's register numbers: the first of 16 bytes is 1, the 4-byte slots behind it count from NFT_REG32_00 (8).
std::uint32_t register_at(std::size_t slot) {
  return static_cast<std::uint32_t>(slot == 0 ? NFT_REG_1 : NFT_REG32_00 + static_cast<int>(slot));
}

struct Field {
  std::uint32_t base, offset, length;
};
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

// Appends expressions to one rule; everything but concatenations goes through register 1, as nft does it.
class Emitter {
 public:
  Emitter(nftnl_rule* rule, std::uint32_t set_id) : rule_(rule), set_id_(set_id) {}

  void operator()(const nft::Address& a) {
    family(a.address.family);
    load(address_field(a.address.family, a.side));
    compare(NFT_CMP_EQ, a.address.bytes.data(), a.address.size());
  }
  void operator()(const nft::Port& p) {
    protocol(IPPROTO_TCP);
    load(p.side == Side::source ? kSourcePort : kTargetPort);
    compare_be16(p.port);
  }
  void operator()(const nft::Either& e) {
    if (e.address) family(e.address->family);
    protocol(IPPROTO_TCP);
    if (e.address) {
      const auto of = e.address->family;
      load_all({address_field(of, Side::source), kSourcePort, address_field(of, Side::target), kTargetPort});
    } else {
      load_all({kSourcePort, kTargetPort});
    }
    auto* lookup = add("lookup");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, "__set%d");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SET_ID, set_id_);
  }
  void operator()(const nft::Flags& f) {
    load(kTcpFlags);
    mask(f.mask, 1);
    const std::uint8_t value = f.value;
    compare(equality(f.negated), &value, 1);
  }
  void operator()(const nft::State& s) {
    conntrack(NFT_CT_STATE);
    mask(s.bits, 4);
    compare32(s.negated ? NFT_CMP_EQ : NFT_CMP_NEQ, 0);
  }
  void operator()(const nft::ConntrackDirection& d) {
    conntrack(NFT_CT_DIRECTION);
    const std::uint8_t direction = d.reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL;
    compare(NFT_CMP_EQ, &direction, 1);
  }
  void operator()(const nft::ConntrackCount& c) {
    auto* ct = conntrack(c.bytes ? NFT_CT_BYTES : NFT_CT_PKTS);
    if (c.reply) nftnl_expr_set_u8(ct, NFTNL_EXPR_CT_DIR, *c.reply ? IP_CT_DIR_REPLY : IP_CT_DIR_ORIGINAL);
    big_endian(8);
    const std::uint64_t value = htobe64(c.value);
    compare(comparison(c.op), &value, sizeof value);
  }
  void operator()(const nft::Length& l) {
    meta(NFT_META_LEN);
    if (ordered(l.op)) big_endian(4);
    compare32(comparison(l.op), ordered(l.op) ? htobe32(l.value) : l.value);
  }
  void operator()(const nft::Mark& m) {
    if (m.conntrack)
      conntrack(NFT_CT_MARK);
    else
      meta(NFT_META_MARK);
    compare32(equality(m.negated), m.value);
  }
  void operator()(const nft::Payload& p) {
    load({NFT_PAYLOAD_INNER_HEADER, 0, static_cast<std::uint32_t>(p.bytes.size())});
    compare(equality(p.negated), p.bytes.data(), p.bytes.size());
  }
  // nft reads type and code in one go where both are compared for equality.
  void operator()(const nft::Icmp& i) {
    family(i.family);
    protocol(static_cast<std::uint8_t>(i.family == Family::ipv4 ? int{IPPROTO_ICMP} : int{IPPROTO_ICMPV6}));
    if (i.code && !i.type_negated && !i.code_negated) {
      const std::uint8_t both[] = {i.type, *i.code};
      load({NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2});
      return compare(NFT_CMP_EQ, both, sizeof both);
    }
    load({NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1});
    compare(equality(i.type_negated), &i.type, 1);
    if (!i.code) return;
    load({NFT_PAYLOAD_TRANSPORT_HEADER, 1, 1});
    compare(equality(i.code_negated), &*i.code, 1);
  }
  void operator()(const nft::Quoted& q) {
    const bool v4 = q.family == Family::ipv4;
    const std::uint8_t tcp = IPPROTO_TCP;
    load({NFT_PAYLOAD_TRANSPORT_HEADER, v4 ? 17u : 14u, 1});
    compare(NFT_CMP_EQ, &tcp, 1);
    load({NFT_PAYLOAD_TRANSPORT_HEADER, (v4 ? 28u : 48u) + (q.side == Side::target ? 2u : 0u), 2});
    compare_be16(q.port);
  }
  void operator()(const nft::Member& m) {
    load_all({kSourcePort, kTargetPort});
    auto* lookup = add("lookup");
    nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
    nftnl_expr_set_str(lookup, NFTNL_EXPR_LOOKUP_SET, m.set.c_str());
    if (m.negated) nftnl_expr_set_u32(lookup, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
  }
  void operator()(const nft::Remember& r) {
    static constexpr std::uint32_t kOperations[] = {NFT_DYNSET_OP_ADD, NFT_DYNSET_OP_UPDATE, NFT_DYNSET_OP_DELETE};
    if (r.reversed)
      load_all({kTargetPort, kSourcePort});
    else
      load_all({kSourcePort, kTargetPort});
    auto* change = add("dynset");
    nftnl_expr_set_u32(change, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
    nftnl_expr_set_u32(change, NFTNL_EXPR_DYNSET_OP, kOperations[static_cast<int>(r.change)]);
    nftnl_expr_set_str(change, NFTNL_EXPR_DYNSET_SET_NAME, r.set.c_str());
  }
  void operator()(const nft::Connections& c) {
    auto* count = add("connlimit");
    nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_COUNT, c.count);
    if (c.over) nftnl_expr_set_u32(count, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
  }
  void operator()(const nft::Limit& l) {
    auto* limit = add("limit");
    nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_RATE, l.count);
    nftnl_expr_set_u64(limit, NFTNL_EXPR_LIMIT_UNIT, l.unit_s);
    nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_BURST, 5);
    nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
    nftnl_expr_set_u32(limit, NFTNL_EXPR_LIMIT_FLAGS, l.over ? std::uint32_t{NFT_LIMIT_F_INV} : 0);
  }
  void operator()(const nft::Every& e) {
    number(NFT_NG_INCREMENTAL, e.modulus);
    compare32(equality(e.negated), e.value);
  }
  void operator()(const nft::Chance& c) {
    number(NFT_NG_RANDOM, c.modulus);
    big_endian(4);
    compare32(comparison(c.op()), htobe32(c.bound()));
  }
  void operator()(const nft::Trace&) {
    auto* one = add("immediate");
    const std::uint8_t on = 1;
    nftnl_expr_set_u32(one, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
    nftnl_expr_set(one, NFTNL_EXPR_IMM_DATA, &on, sizeof on);
    auto* trace = add("meta");
    nftnl_expr_set_u32(trace, NFTNL_EXPR_META_KEY, NFT_META_NFTRACE);
    nftnl_expr_set_u32(trace, NFTNL_EXPR_META_SREG, NFT_REG_1);
  }
  void operator()(const nft::Counter&) { add("counter"); }
  void operator()(const nft::Verdict& v) {
    auto* verdict = add("immediate");
    nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
    nftnl_expr_set_u32(verdict, NFTNL_EXPR_IMM_VERDICT, v.accept ? NF_ACCEPT : NF_DROP);
  }
  void operator()(const nft::Reject& r) {
    auto* reject = add("reject");
    nftnl_expr_set_u32(reject, NFTNL_EXPR_REJECT_TYPE, r.type);
    nftnl_expr_set_u8(reject, NFTNL_EXPR_REJECT_CODE, r.code);
  }

 private:
  nftnl_expr* add(const char* name) {
    auto* expression = need(nftnl_expr_alloc(name));
    nftnl_rule_add_expr(rule_, expression);  // the rule owns it
    return expression;
  }
  void meta(std::uint32_t key) {
    auto* expression = add("meta");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_REG_1);
  }
  nftnl_expr* conntrack(std::uint32_t key) {
    auto* expression = add("ct");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_REG_1);
    return expression;
  }
  void number(std::uint32_t type, std::uint32_t modulus) {
    auto* expression = add("numgen");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_NG_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_NG_MODULUS, modulus);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_NG_TYPE, type);
  }
  void load(const Field& field, std::uint32_t into = NFT_REG_1) {
    auto* expression = add("payload");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, field.base);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, field.offset);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, field.length);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, into);
  }
  void load_all(std::initializer_list<Field> fields) {
    std::size_t slot = 0;
    for (const auto& field : fields) {
      load(field, register_at(slot));
      slot += (field.length + 3) / 4;
    }
  }
  void compare(std::uint32_t op, const void* data, std::size_t length) {
    auto* expression = add("cmp");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, op);
    nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, static_cast<std::uint32_t>(length));
  }
  void compare32(std::uint32_t op, std::uint32_t value) { compare(op, &value, sizeof value); }
  void compare_be16(std::uint16_t value) {
    const std::uint16_t big = htobe16(value);
    compare(NFT_CMP_EQ, &big, sizeof big);
  }
  void mask(std::uint32_t bits, std::uint32_t length) {
    const std::uint32_t none = 0;
    auto* expression = add("bitwise");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BITWISE_LEN, length);
    const auto first = static_cast<std::uint8_t>(bits);
    nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_MASK, length == 1 ? static_cast<const void*>(&first) : &bits, length);
    nftnl_expr_set(expression, NFTNL_EXPR_BITWISE_XOR, &none, length);
  }
  // The kernel compares bytes from the first on: numbers have to be in network order for less and more.
  void big_endian(std::uint32_t length) {
    auto* expression = add("byteorder");
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_LEN, length);
    nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_SIZE, length);
  }
  void family(Family of) {
    meta(NFT_META_NFPROTO);
    const std::uint8_t number = of == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
    compare(NFT_CMP_EQ, &number, 1);
  }
  void protocol(std::uint8_t number) {
    meta(NFT_META_L4PROTO);
    compare(NFT_CMP_EQ, &number, 1);
  }

  nftnl_rule* rule_;
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
  RuleObject rule(need(nftnl_rule_alloc()));
  nftnl_rule_set_u32(rule.get(), NFTNL_RULE_FAMILY, NFPROTO_INET);
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, kTable);
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, line.chain.c_str());
  Emitter emit(rule.get(), set_id);
  for (const auto& statement : line.statements) std::visit(emit, statement);
  put_comment(rule.get(), line.comment);
  return rule;
}

}  // namespace lab::firewall
