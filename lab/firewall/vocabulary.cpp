#include "firewall/vocabulary.hpp"

namespace lab::firewall {
namespace {

struct Bit {
  std::string_view name;
  std::uint32_t bit;
};

std::string join(const std::vector<Bit>& all, std::uint32_t bits) {
  std::string text;
  for (const auto& [name, bit] : all)
    if (bits & bit) text.append(text.empty() ? "" : ",").append(name);
  return text;
}

struct Named {
  std::uint8_t value;
  std::string_view name;
};
std::string_view find(const std::vector<Named>& all, std::uint8_t value) {
  for (const auto& each : all)
    if (each.value == value) return each.name;
  return "";
}

// include/uapi/linux/netfilter/nf_conntrack_common.h: NF_CT_STATE_BIT.
const std::vector<Bit> kStates = {{"invalid", 1}, {"established", 2}, {"related", 4}, {"new", 8}, {"untracked", 64}};
const std::vector<Bit> kFlags = {{"fin", 1},  {"syn", 2},  {"rst", 4},  {"psh", 8},
                                 {"ack", 16}, {"urg", 32}, {"ecn", 64}, {"cwr", 128}};

}  // namespace

// RFC 792, RFC 1812 section 5.2.7.1; RFC 4443.
const std::vector<IcmpKind>& icmp_kinds() {
  static const std::vector<IcmpKind> kinds = {
      {"frag-needed", 3, 4, 2, {}},     {"packet-too-big", 3, 4, 2, {}},  {"port-unreachable", 3, 3, 1, 4},
      {"host-unreachable", 3, 1, 1, 3}, {"net-unreachable", 3, 0, 1, 0},  {"admin-prohibited", 3, 13, 1, 1},
      {"unreachable", 3, {}, 1, {}},    {"time-exceeded", 11, {}, 3, {}},
  };
  return kinds;
}

const IcmpKind* icmp_kind(std::string_view name) {
  for (const auto& kind : icmp_kinds())
    if (kind.name == name) return &kind;
  return nullptr;
}

std::string_view icmp_type_name(Family family, std::uint8_t type) {
  static const std::vector<Named> v4 = {{3, "destination-unreachable"}, {11, "time-exceeded"}};
  static const std::vector<Named> v6 = {{1, "destination-unreachable"}, {2, "packet-too-big"}, {3, "time-exceeded"}};
  return find(family == Family::ipv4 ? v4 : v6, type);
}

std::string_view icmp_code_name(Family family, std::uint8_t code) {
  static const std::vector<Named> v4 = {{0, "net-unreachable"},
                                        {1, "host-unreachable"},
                                        {3, "port-unreachable"},
                                        {4, "frag-needed"},
                                        {13, "admin-prohibited"}};
  static const std::vector<Named> v6 = {
      {0, "no-route"}, {1, "admin-prohibited"}, {3, "addr-unreachable"}, {4, "port-unreachable"}};
  return find(family == Family::ipv4 ? v4 : v6, code);
}

std::uint32_t state_bit(std::string_view name) {
  for (const auto& state : kStates)
    if (state.name == name) return state.bit;
  return 0;
}

std::string state_names(std::uint32_t bits) { return join(kStates, bits); }
std::string flag_names(std::uint8_t bits) { return join(kFlags, bits); }

std::string_view unit_name(std::uint64_t seconds) {
  switch (seconds) {
    case 1:
      return "second";
    case 60:
      return "minute";
    case 60 * 60:
      return "hour";
    case 24 * 60 * 60:
      return "day";
    case 7 * 24 * 60 * 60:
      return "week";
    default:
      return "";
  }
}

std::string_view symbol(Operator op) {
  switch (op) {
    case Operator::equal:
      return "";
    case Operator::not_equal:
      return "!= ";
    case Operator::less:
      return "< ";
    case Operator::at_most:
      return "<= ";
    case Operator::more:
      return "> ";
    case Operator::at_least:
      return ">= ";
  }
  return "";
}

Operator opposite(Operator op) {
  switch (op) {
    case Operator::equal:
      return Operator::not_equal;
    case Operator::not_equal:
      return Operator::equal;
    case Operator::less:
      return Operator::at_least;
    case Operator::at_most:
      return Operator::more;
    case Operator::more:
      return Operator::at_most;
    case Operator::at_least:
      return Operator::less;
  }
  return op;
}

}  // namespace lab::firewall
