// Names of the rule language, of nft and of the kernel beside each other.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firewall/statement.hpp"

namespace lab::firewall {

// An ICMP answer that the rule language knows, in both families. No code: the type alone.
struct IcmpKind {
  std::string_view name;
  std::uint8_t type4;
  std::optional<std::uint8_t> code4;
  std::uint8_t type6;
  std::optional<std::uint8_t> code6;
};
const std::vector<IcmpKind>& icmp_kinds();
const IcmpKind* icmp_kind(std::string_view name);
// As nft prints them; types and codes of icmp_kinds() only.
std::string_view icmp_type_name(Family family, std::uint8_t type);
std::string_view icmp_code_name(Family family, std::uint8_t code);

// The bit of `ct state`, 0 for an unknown name; names in nft's order.
std::uint32_t state_bit(std::string_view name);
std::string state_names(std::uint32_t bits);
// "syn,ack", in nft's order.
std::string flag_names(std::uint8_t bits);
// "minute"; "" for a unit that nft doesn't know.
std::string_view unit_name(std::uint64_t seconds);

std::string_view symbol(Operator op);  // ">= ", with its space; "" for equal
Operator opposite(Operator op);

}  // namespace lab::firewall
