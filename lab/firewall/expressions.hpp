// The expressions that rules are made of, one call each, with the registers that nft uses for them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "firewall/statement.hpp"

struct nftnl_expr;
struct nftnl_rule;

namespace lab::firewall {

// Where in the packet: one of enum nft_payload_bases, and bytes from there.
struct Field {
  std::uint32_t base, offset, length;
};

// Appends to one rule. Everything but concatenations goes through register 1.
class Expressions {
 public:
  explicit Expressions(nftnl_rule* rule) : rule_(rule) {}

  // By libnftnl's name of the expression, without attributes; the rule owns it.
  nftnl_expr* add(const char* name);

  // ---- into the register
  void meta(std::uint32_t key);
  nftnl_expr* conntrack(std::uint32_t key);
  void number(std::uint32_t type, std::uint32_t modulus);
  void load(const Field& field) { load(field, 0); }
  void load_all(std::initializer_list<Field> fields);  // a concatenation

  // ---- on the register
  void mask(std::uint32_t bits, std::uint32_t length);
  // The kernel compares bytes from the first on: numbers have to be in network order for less and more.
  void big_endian(std::uint32_t length);

  // ---- the rule ends here where it doesn't hold
  void compare(std::uint32_t op, const void* data, std::size_t length);
  void compare32(std::uint32_t op, std::uint32_t value) { compare(op, &value, sizeof value); }
  void compare_be16(std::uint16_t value);
  void family(Family of);
  void protocol(std::uint8_t number);

 private:
  void load(const Field& field, std::size_t slot);

  nftnl_rule* rule_;
};

}  // namespace lab::firewall
