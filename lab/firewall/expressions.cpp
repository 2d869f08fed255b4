#include "firewall/expressions.hpp"

#include <endian.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <netinet/in.h>

#include "firewall/netfilter.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

// nft's register numbers: the first of 16 bytes is 1, the 4-byte slots behind it count from NFT_REG32_00 (8).
std::uint32_t register_at(std::size_t slot) {
  return static_cast<std::uint32_t>(slot == 0 ? NFT_REG_1 : NFT_REG32_00 + static_cast<int>(slot));
}

}  // namespace

nftnl_expr* Expressions::add(const char* name) {
  auto* expression = nftnl_expr_alloc(name);
  if (!expression) throw sys::LabError("libnftnl: no memory for a rule");
  nftnl_rule_add_expr(rule_, expression);
  return expression;
}

void Expressions::meta(std::uint32_t key) {
  auto* expression = add("meta");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_META_KEY, key);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

nftnl_expr* Expressions::conntrack(std::uint32_t key) {
  auto* expression = add("ct");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_KEY, key);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_CT_DREG, NFT_REG_1);
  return expression;
}

void Expressions::number(std::uint32_t type, std::uint32_t modulus) {
  auto* expression = add("numgen");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_NG_DREG, NFT_REG_1);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_NG_MODULUS, modulus);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_NG_TYPE, type);
}

void Expressions::load(const Field& field, std::size_t slot) {
  auto* expression = add("payload");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_BASE, field.base);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_OFFSET, field.offset);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_LEN, field.length);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_PAYLOAD_DREG, register_at(slot));
}

void Expressions::load_all(std::initializer_list<Field> fields) {
  std::size_t slot = 0;
  for (const auto& field : fields) {
    load(field, slot);
    slot += (field.length + 3) / 4;
  }
}

void Expressions::compare(std::uint32_t op, const void* data, std::size_t length) {
  auto* expression = add("cmp");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_CMP_OP, op);
  nftnl_expr_set(expression, NFTNL_EXPR_CMP_DATA, data, static_cast<std::uint32_t>(length));
}

void Expressions::compare_be16(std::uint16_t value) {
  const std::uint16_t big = htobe16(value);
  compare(NFT_CMP_EQ, &big, sizeof big);
}

void Expressions::mask(std::uint32_t bits, std::uint32_t length) {
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

void Expressions::big_endian(std::uint32_t length) {
  auto* expression = add("byteorder");
  nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_SREG, NFT_REG_1);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_DREG, NFT_REG_1);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_LEN, length);
  nftnl_expr_set_u32(expression, NFTNL_EXPR_BYTEORDER_SIZE, length);
}

void Expressions::family(Family of) {
  meta(NFT_META_NFPROTO);
  const std::uint8_t number = of == Family::ipv4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
  compare(NFT_CMP_EQ, &number, 1);
}

void Expressions::protocol(std::uint8_t number) {
  meta(NFT_META_L4PROTO);
  compare(NFT_CMP_EQ, &number, 1);
}

}  // namespace lab::firewall
