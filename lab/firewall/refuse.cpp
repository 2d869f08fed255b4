// What no kernel accepts, or what can never match: said before a run, with the place.
#include <fmt/format.h>

#include <limits>

#include "firewall/compile.hpp"
#include "firewall/vocabulary.hpp"

namespace lab::firewall {
namespace {

using scenario::Direction;
using scenario::Match;
using scenario::Rule;
using scenario::RuleAction;

// include/net/netfilter/nf_tables.h: struct nft_cmp_expr keeps one nft_data, of 16 bytes.
constexpr std::size_t kPayload = 16;
// include/uapi: NFTNL_UDATA_COMMENT_MAXLEN, its NUL counted.
constexpr std::size_t kName = 127;
constexpr std::uint64_t kMax32 = std::numeric_limits<std::uint32_t>::max();

struct Complaint {
  std::string message, hint;
};

bool is_icmp(const Rule& rule) { return !rule.match.icmp.empty() || (rule.negated && !rule.negated->icmp.empty()); }
bool is_reject(RuleAction action) {
  return action >= RuleAction::reject_tcp_reset && action <= RuleAction::reject_admin;
}

std::string known_icmp() {
  std::string names;
  for (const auto& kind : icmp_kinds()) names += (names.empty() ? "" : ", ") + std::string(kind.name);
  return names;
}

void look_at_connections(const scenario::Comparison& wanted, std::vector<Complaint>& found) {
  const bool from_one = wanted.op == Operator::at_least || wanted.op == Operator::less ||
                        wanted.op == Operator::equal || wanted.op == Operator::not_equal;
  if (from_one && wanted.value == 0)
    found.push_back({"connections: a connection that is looked at makes one already", "connections = \">0\""});
  if (wanted.value > kMax32)
    found.push_back({fmt::format("connections: {} is more than the kernel counts", wanted.value), ""});
}

void look_at_counts(const Match& match, std::vector<Complaint>& found) {
  if (match.every && *match.every == 0) found.push_back({"every: 0 is no interval", "every = 1 is each segment"});
  if (match.every && *match.every > kMax32) found.push_back({"every: more than the kernel counts (4294967295)", ""});
  if (match.rate && match.rate->count == 0)
    found.push_back({"rate: the kernel takes none of 0", "leave rate out: everything matches"});
  if (match.rate && unit_name(match.rate->unit_s).empty())
    found.push_back(
        {fmt::format("rate: no unit of {} seconds", match.rate->unit_s), "/second, /minute, /hour, /day or /week"});
  if (match.probability && !(*match.probability * 1e6 >= 0.5 && *match.probability <= 1))
    found.push_back({fmt::format("probability: {} is not between 0.000001 and 1", *match.probability), ""});
  if (match.connections) look_at_connections(*match.connections, found);
  if (match.after && match.after->time && *match.after->time < std::chrono::milliseconds(1))
    found.push_back({"after: the kernel's sets time out in milliseconds", "after = { time = \"1ms\" }"});
}

void look_at_match(const Match& match, bool icmp, std::vector<Complaint>& found) {
  if (match.payload && match.payload->empty()) found.push_back({"payload: nothing to compare", ""});
  if (match.payload && match.payload->size() > kPayload)
    found.push_back(
        {fmt::format("payload: {} bytes; the kernel compares at most {} in one match", match.payload->size(), kPayload),
         fmt::format("its first {} bytes", kPayload)});
  if (match.flags_set & match.flags_unset)
    found.push_back(
        {fmt::format("flags: {} both set and not set", flag_names(match.flags_set & match.flags_unset)), ""});
  for (const auto& name : match.state)
    if (!state_bit(name))
      found.push_back(
          {fmt::format("state: conntrack knows no '{}'", name), "new, established, related, invalid, untracked"});
  if (!match.icmp.empty() && !icmp_kind(match.icmp))
    found.push_back({fmt::format("icmp: unknown '{}'", match.icmp), known_icmp()});
  if (match.length && match.length->value > kMax32)
    found.push_back({"length: no packet is longer than 4294967295 bytes", ""});
  look_at_counts(match, found);
  if (!icmp) return;
  if (match.flags_set | match.flags_unset)
    found.push_back({"flags: an ICMP answer has no TCP flags", "leave one of icmp and flags out"});
  if (match.payload)
    found.push_back({"payload: an ICMP answer has no TCP payload", "leave one of icmp and payload out"});
  if (match.connections)
    found.push_back({"connections: an ICMP answer begins none", "leave one of icmp and connections out"});
  if (match.after && (match.after->handshake || match.after->time))
    found.push_back(
        {"after: an ICMP answer is no part of a handshake", "after = { packets = N } or { bytes = N } know its flow"});
}

std::vector<Complaint> look_at(const Rule& rule) {
  std::vector<Complaint> found;
  const bool icmp = is_icmp(rule);
  if (rule.name.size() > kName)
    found.push_back({fmt::format("name: {} bytes; a rule's comment holds {}", rule.name.size(), kName), ""});
  if (rule.name.find('"') != std::string::npos || rule.name.find('\n') != std::string::npos)
    found.push_back({"name: nft can't print a comment with quotes or line breaks", ""});
  if (rule.name.starts_with(kHelper))
    found.push_back({fmt::format("name: '{}' begins the names of the lab's own rules", kHelper), ""});
  if (is_reject(rule.action) && rule.hook == scenario::Hook::postrouting)
    found.push_back(
        {"the kernel can't reject at postrouting", "hook = \"output\" or \"forward\", or action = \"drop\""});
  if (rule.action == RuleAction::reject_tcp_reset && icmp)
    found.push_back({"an ICMP answer can't be answered with a TCP reset", "action = \"drop\""});
  look_at_match(rule.match, icmp, found);
  if (rule.negated) look_at_match(*rule.negated, icmp, found);
  return found;
}

}  // namespace

std::vector<Refusal> refuse(const std::vector<scenario::Rule>& rules) {
  std::vector<Refusal> refusals;
  for (const auto& rule : rules)
    for (auto& [message, hint] : look_at(rule))
      refusals.push_back({rule.place, fmt::format("rule '{}': {}", rule.name, message), std::move(hint)});
  return refusals;
}

}  // namespace lab::firewall
