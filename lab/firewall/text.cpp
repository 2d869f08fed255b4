#include "firewall/text.hpp"

#include <fmt/format.h>

#include <bit>

#include "firewall/compiler.hpp"
#include "firewall/netfilter.hpp"
#include "firewall/vocabulary.hpp"

namespace lab::firewall {
namespace {

const char* negation(bool negated) { return negated ? "!= " : ""; }
const char* family_name(Family family) { return family == Family::ipv4 ? "ip" : "ip6"; }
const char* key(bool reversed) { return reversed ? "tcp dport . tcp sport" : "tcp sport . tcp dport"; }

std::string print(const nft::Address& a) {
  return fmt::format("{} {} {}", family_name(a.address.family), a.side == Side::target ? "daddr" : "saddr",
                     a.address.text());
}

std::string print(const nft::Port& p) {
  return fmt::format("tcp {} {}", p.side == Side::target ? "dport" : "sport", p.port);
}

std::string print(const nft::Either& e) {
  if (!e.address)
    return fmt::format("tcp sport . tcp dport {{ {0} . 0-65535, 0-{1} . {0} }}", e.port, e.last_client_port());
  const auto* ip = family_name(e.address->family);
  const auto any = e.address->family == Family::ipv4 ? "0.0.0.0/0" : "::/0";
  return fmt::format(
      "{0} saddr . tcp sport . {0} daddr . tcp dport {{ {1} . {2} . {3} . 0-65535, {3} . 0-65535 . {1} . {2} }}", ip,
      e.address->text(), e.port, any);
}

std::string print(const nft::Flags& f) {
  if (f.value == 0) return fmt::format("tcp flags {}{}", f.negated ? "" : "! ", flag_names(f.mask));
  if (f.mask == f.value && std::popcount(f.mask) == 1)
    return fmt::format("tcp flags & {0} {1} {0}", flag_names(f.mask), f.negated ? "!=" : "==");
  return fmt::format("tcp flags {}{} / {}", negation(f.negated), flag_names(f.value), flag_names(f.mask));
}

std::string print(const nft::State& s) {
  return fmt::format("ct state {}{}", s.negated ? "! " : "", state_names(s.bits));
}
std::string print(const nft::ConntrackDirection& d) {
  return fmt::format("ct direction {}", d.reply ? "reply" : "original");
}

std::string print(const nft::ConntrackCount& c) {
  const auto* direction = !c.reply ? "" : *c.reply ? "reply " : "original ";
  return fmt::format("ct {}{} {}{}", direction, c.bytes ? "bytes" : "packets", symbol(c.op), c.value);
}

std::string print(const nft::Length& l) { return fmt::format("meta length {}{}", symbol(l.op), l.value); }
std::string print(const nft::Mark& m) {
  return fmt::format("{} mark {}0x{:08x}", m.conntrack ? "ct" : "meta", negation(m.negated), m.value);
}

std::string print(const nft::Payload& p) {
  std::string hex;
  for (const unsigned char byte : p.bytes) hex += fmt::format("{:02x}", byte);
  hex.erase(0, std::min(hex.find_first_not_of('0'), hex.size() - 1));
  return fmt::format("@ih,0,{} {}0x{}", p.bytes.size() * 8, negation(p.negated), hex);
}

std::string print(const nft::Icmp& i) {
  const auto* protocol = i.family == Family::ipv4 ? "icmp" : "icmpv6";
  auto text = fmt::format("{} type {}{}", protocol, negation(i.type_negated), icmp_type_name(i.family, i.type));
  if (i.code)
    text += fmt::format(" {} code {}{}", protocol, negation(i.code_negated), icmp_code_name(i.family, *i.code));
  return text;
}

std::string print(const nft::Quoted& q) {
  // Behind 8 bytes of ICMP: 20 bytes of IPv4 header with the protocol at 9, or 40 of IPv6 with the next header at 6.
  const unsigned protocol = q.family == Family::ipv4 ? 8 + 9 : 8 + 6;
  const unsigned port = (q.family == Family::ipv4 ? 8 + 20 : 8 + 40) + (q.side == Side::target ? 2 : 0);
  return fmt::format("@th,{},8 0x6 @th,{},16 0x{:x}", protocol * 8, port * 8, q.port);
}

std::string print(const nft::Member& m) {
  return fmt::format("tcp sport . tcp dport {}@{}", negation(m.negated), m.set);
}

std::string print(const nft::Remember& r) {
  static constexpr const char* kNames[] = {"add", "update", "delete"};
  return fmt::format("{} @{} {{ {} }}", kNames[static_cast<int>(r.change)], r.set, key(r.reversed));
}

std::string print(const nft::Connections& c) { return fmt::format("ct count {}{}", c.over ? "over " : "", c.count); }
std::string print(const nft::Limit& l) {
  return fmt::format("limit rate {}{}/{}", l.over ? "over " : "", l.count, unit_name(l.unit_s));
}
std::string print(const nft::Every& e) {
  return fmt::format("numgen inc mod {} {}{}", e.modulus, negation(e.negated), e.value);
}
std::string print(const nft::Chance& c) {
  return fmt::format("numgen random mod {} {}{}", c.modulus, symbol(c.op()), c.bound());
}
std::string print(const nft::Trace&) { return "meta nftrace set 1"; }
std::string print(const nft::Counter&) { return "counter packets 0 bytes 0"; }
std::string print(const nft::Verdict& v) { return v.accept ? "accept" : "drop"; }

std::string print(const nft::Reject& r) {
  if (r.type == NFT_REJECT_TCP_RST) return "reject with tcp reset";
  if (r.family)
    return fmt::format("reject with {} {}", *r.family == Family::ipv4 ? "icmp" : "icmpv6",
                       icmp_code_name(*r.family, r.code));
  switch (r.code) {
    case NFT_REJECT_ICMPX_NO_ROUTE:
      return "reject with icmpx no-route";
    case NFT_REJECT_ICMPX_HOST_UNREACH:
      return "reject with icmpx host-unreachable";
    case NFT_REJECT_ICMPX_ADMIN_PROHIBITED:
      return "reject with icmpx admin-prohibited";
    default:
      return "reject";  // port-unreachable, the default
  }
}

// nft's units from the largest down: "5m", "1m30s", "200ms".
std::string duration(std::uint64_t ms) {
  static constexpr struct {
    std::uint64_t ms;
    const char* name;
  } kUnits[] = {{86'400'000, "d"}, {3'600'000, "h"}, {60'000, "m"}, {1000, "s"}, {1, "ms"}};
  std::string text;
  for (const auto& unit : kUnits) {
    if (ms >= unit.ms) text += fmt::format("{}{}", ms / unit.ms, unit.name);
    ms %= unit.ms;
  }
  return text;
}

std::string print(const Set& set) {
  auto text = fmt::format("\tset {} {{\n\t\ttype inet_service . inet_service\n\t\tsize 65535\n", set.name);
  if (set.timeout_ms == 0) return text + "\t\tflags dynamic\n\t}\n";
  return text + fmt::format("\t\tflags dynamic,timeout\n\t\ttimeout {}\n\t}}\n", duration(set.timeout_ms));
}

std::string print(const Chain& chain, const std::vector<Line>& lines) {
  std::string rules;
  for (const auto& line : lines) {
    if (line.chain != chain.name) continue;
    const auto text = fmt::format("\t\t{} comment \"{}\"\n", to_text(line), line.comment);
    rules.insert(line.at_head ? 0 : rules.size(), text);
  }
  const auto priority = chain.priority == 0
                            ? "filter"
                            : fmt::format("filter {} {}", chain.priority < 0 ? "-" : "+", std::abs(chain.priority));
  return fmt::format("\tchain {} {{\n\t\ttype filter hook {} priority {}; policy accept;\n{}\t}}\n", chain.name,
                     scenario::name_of(chain.hook), priority, rules);
}

}  // namespace

std::string to_text(const Statement& statement) {
  return std::visit([](const auto& each) { return print(each); }, statement);
}

std::string to_text(const Line& line, Counters counters) {
  std::string text;
  for (const auto& statement : line.statements) {
    if (!text.empty()) text += ' ';
    const bool plain = counters == Counters::hidden && std::holds_alternative<nft::Counter>(statement);
    text += plain ? "counter" : to_text(statement);
  }
  return text;
}

std::string to_text(const Program& program) {
  std::string text = fmt::format("table inet {} {{\n\tflags owner\n", kTable);
  for (const auto& set : program.sets) text += "\n" + print(set);
  for (const auto& chain : program.chains) text += "\n" + print(chain, program.lines);
  return text + "}\n";
}

}  // namespace lab::firewall
