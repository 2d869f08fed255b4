// A path-MTU black hole: a link takes less than a segment has, and the ICMP that says so never gets back to the sender.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/firewall.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::firewall {
namespace {

// The rule trace has no time of its own; it is read at most this long after.
constexpr std::int64_t kReadLate = 50'000'000;

// Options of either header not counted.
std::uint32_t packet_of(const Address& end, std::uint32_t payload) { return payload + (end.family == 6 ? 60U : 40U); }

bool same_host(const Address& a, const Address& b) { return a.family == b.family && a.ip == b.ip; }

const Address& address_of(const Conn& conn, Who who) { return who == Who::client ? conn.client : conn.server; }

bool is_about(const TooBigEaten& told, const Conn& conn, Who from) {
  const auto& sender = address_of(conn, from);
  return same_host(told.to, sender) && packet_of(sender, conn.stream[from].longest) > told.mtu;
}

// The message names a host. Could it have been about another connection's segments?
bool others_could_be_meant(const Case& one, const TooBigEaten& told) {
  return std::any_of(one.facts.conns.begin(), one.facts.conns.end(), [&](const Conn& conn) {
    return &conn != &one.conn && (is_about(told, conn, Who::client) || is_about(told, conn, Who::server));
  });
}

const Hits* kernel_word(const Case& one, Who from) {
  for (const auto* hits : open_hits(one, false))
    if (hits->reason == "PKT_TOO_BIG" && hits->from == from) return hits;
  return nullptr;
}

Finding hole(const Case& one, const TooBigEaten& told, Who from) {
  auto result = finding(one, "firewall/drop", told.rule.first.t);
  const auto* who = name_of(from);
  const auto longest = packet_of(address_of(one.conn, from), one.conn.stream[from].longest);
  result.mechanism.push_back(
      record("nft-trace",
             fmt::format("{} dropped {} to the {} at hook {}: packets may have {} bytes", rule_text(told.rule),
                         plural(told.rule.count, "ICMP message"), who, told.rule.hook, told.mtu),
             told.rule.first, told.rule.last));
  result.effect.push_back(record("wire", fmt::format("the {} sent packets of {} bytes and more", who, longest),
                                 one.conn.stream[from].last_data));
  if (const auto* word = kernel_word(one, from))
    result.mechanism.push_back(
        record("kernel", fmt::format("{} from {} dropped: {}", plural(word->count, "segment"), way(from), word->reason),
               word->open_first, word->last));
  else if (others_could_be_meant(one, told))
    result.doubts.push_back("the message that was dropped may have been about another connection of this host");
  result.culprit = rule_culprit(one.facts, told.rule);
  result.culprit.detail = fmt::format("{}, ICMP to the {}", told.rule.hook, who);
  result.summary = fmt::format(
      "A firewall rule dropped the ICMP that would have told the {} to send packets of at most {} bytes: {}; {}", who,
      told.mtu, rule_text(told.rule), outcome_text(one));
  return result;
}

}  // namespace

std::optional<Finding> find_path_mtu(const Case& one) {
  for (const Who from : {other(one.victim()), one.victim()}) {
    const auto gap = one.gap(from);
    if (!gap.on_wire) continue;
    for (const auto& told : one.facts.too_big)
      if (is_about(told, one.conn, from) && told.rule.first.t <= one.until() + kReadLate &&
          gap.since.t <= told.rule.last.t)
        return hole(one, told, from);
  }
  return std::nullopt;
}

}  // namespace lab::verdict::firewall
