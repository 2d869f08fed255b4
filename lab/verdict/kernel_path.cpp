// The kernel took the path away, or something below TCP ate segments.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "verdict/kernel.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::kernel {
namespace {

// A notification is read at most this long after what it tells of.
constexpr std::int64_t kReadLate = 50'000'000;

// One kind of eater below TCP: the drop reasons it leaves, the changes that bring it in and take it away, the counters
// that move.
struct Eater {
  std::string_view cause, what;
  std::vector<std::string_view> reasons, comes, goes, counters;
  bool (*about)(const Case&, const evidence::Change&);
  std::string_view kind;  // of the culprit
};

// IPv6 takes routes and addresses away with their link, and tells each (net/ipv6/addrconf.c, addrconf_ifdown); IPv4
// keeps the addresses and tells nothing.
bool follows_link(const Case& one, const ChangeFacts& change) {
  if (change.change.kind != "route-deleted" && change.change.kind != "address-deleted") return false;
  return std::any_of(one.facts.changes.begin(), one.facts.changes.end(), [&](const ChangeFacts& c) {
    return c.change.kind == "link-down" && c.change.netns == change.change.netns &&
           std::abs(c.at.t - change.at.t) <= kReadLate;
  });
}
const ChangeFacts* change_before(const Case& one, const Eater& eater) {
  const ChangeFacts* found = nullptr;
  for (const auto& c : one.facts.changes) {
    const bool comes = std::find(eater.comes.begin(), eater.comes.end(), c.change.kind) != eater.comes.end();
    const bool goes = std::find(eater.goes.begin(), eater.goes.end(), c.change.kind) != eater.goes.end();
    if (follows_link(one, c)) continue;
    if (comes && !found && c.at.t <= one.until() && eater.about(one, c.change)) found = &c;
    // Mended, and bytes went across after it: it was not what ended the connection.
    if (goes && found && c.change.object == found->change.object && one.last_progress() > c.at.t) found = nullptr;
  }
  return found;
}

// It was undone while the victim still waited: what it ate then need not be what was missing in the end.
const ChangeFacts* undone(const Case& one, const Eater& eater, const ChangeFacts& change) {
  const auto& all = one.facts.changes;
  const auto at = std::find_if(all.begin(), all.end(), [&](const ChangeFacts& c) {
    return c.at.t > change.at.t && c.at.t <= one.until() && c.change.object == change.change.object &&
           c.change.netns == change.change.netns && c.change.kind != change.change.kind &&
           std::find(eater.goes.begin(), eater.goes.end(), c.change.kind) != eater.goes.end();
  });
  return at == all.end() ? nullptr : &*at;
}

bool a_link_is_down(const Case& one) {
  std::set<std::string> down;
  for (const auto& c : one.facts.changes) {
    if (c.at.t > one.until()) break;
    if (c.change.kind == "link-down" || c.change.kind == "link-deleted")
      down.insert(c.change.netns + " " + c.change.object);
    if (c.change.kind == "link-up") down.erase(c.change.netns + " " + c.change.object);
  }
  return !down.empty();
}

const Hits* told_by(const Case& one, const Eater& eater) {
  for (const auto* hits : open_hits(one, false))
    if (std::find(eater.reasons.begin(), eater.reasons.end(), hits->reason) != eater.reasons.end()) return hits;
  return nullptr;
}

std::optional<Finding> eaten_by(const Case& one, const Eater& eater) {
  if (!one.starved()) return std::nullopt;
  const bool missing = one.gap(Who::client).any || one.gap(Who::server).any;
  const auto* change = change_before(one, eater);
  const auto* word = told_by(one, eater);
  std::string_view counter;
  for (const auto name : eater.counters)
    if (counter.empty() && one.facts.counter(name) > 0) counter = name;
  // Bytes that went across after the change excuse it.
  if (change && one.last_progress() > change->at.t + kReadLate) change = nullptr;
  if (!word && !(missing && (change || !counter.empty()))) return std::nullopt;
  // Where the kernel tells of every drop, a rule's are the only ones.
  const bool by_rule = !word && !open_hits(one, true).empty();
  if (by_rule && (!change || (one.facts.complete("kernel") && !eater.reasons.empty()))) return std::nullopt;
  auto result = finding(one, eater.cause, change ? change->at.t : word ? word->open_first.t : one.until());
  if (change) {
    result.mechanism.push_back(record("changes",
                                      fmt::format("{} {}{}", change->change.kind, change->change.object,
                                                  change->change.detail.empty() ? "" : " " + change->change.detail),
                                      change->at));
    result.culprit = {.kind = std::string(eater.kind),
                      .name = change->change.object,
                      .pid = change->change.pid,
                      .detail = change->change.kind};
    const auto since =
        std::min(one.gap(Who::client).any && one.gap(Who::client).since ? one.gap(Who::client).since.t : one.until(),
                 one.gap(Who::server).any && one.gap(Who::server).since ? one.gap(Who::server).since.t : one.until());
    if (!word && one.gap(Who::client).on_wire && since + 1'000'000'000 < change->at.t)
      result.doubts.push_back(
          fmt::format("bytes were already missing {} before the change", span_text(change->at.t - since)));
  }
  if (by_rule) result.doubts.push_back("a rule ate segments of it that were missing in the end");
  if (change && !word)
    if (const auto* back = undone(one, eater, *change))
      result.doubts.push_back(
          fmt::format("{} followed {} later", back->change.kind, span_text(back->at.t - change->at.t)));
  for (auto& doubt : loss_doubts(one)) result.doubts.push_back(std::move(doubt));
  // Whose link it is decides between this and a peer that fell silent.
  if (change && eater.about == about_link && !change->change.netns.empty() && one.complaint->weak)
    result.doubts.push_back("which end noticed is not known: to the other end this one fell silent");
  if (word)
    result.mechanism.push_back(
        record("kernel",
               fmt::format("{} from {} dropped: {}{}", plural(word->count, "segment"), way(word->from), word->reason,
                           word->where.empty() ? "" : " in " + word->where),
               word->open_first, word->last));
  if (!counter.empty())
    result.mechanism.push_back(record("counters", fmt::format("{} moved by {}", counter, one.facts.counter(counter)),
                                      one.facts.counter_mark(counter)));
  // A removed address and a dead link leave the kernel without a route as well.
  if (!change && eater.cause == std::string_view("kernel/route") && !one.facts.complete("changes"))
    result.doubts.push_back("whether an address or a link went away was not seen (changes: off or incomplete)");
  if (!change && !word) result.doubts.push_back("the counter does not say whose segments they were");
  if (result.culprit.kind.empty())
    result.culprit = {.kind = std::string(eater.kind), .name = word ? word->reason : std::string(counter)};
  result.summary =
      fmt::format("{}, and nothing of the connection got across after that; {}",
                  change ? fmt::format("{} ({} {})", eater.what, change->change.kind, change->change.object)
                         : std::string(eater.what),
                  outcome_text(one));
  return result;
}

const Eater kRoute{"kernel/route",
                   "The route was taken away",
                   {"IP_OUTNOROUTES", "IP_INNOROUTES", "IP6_OUTNOROUTES", "IP_INADDRERRORS"},
                   {"route-added", "route-deleted", "sysctl"},
                   {"route-deleted", "route-added"},
                   {"IpOutNoRoutes", "Ip6OutNoRoutes"},
                   about_route,
                   "route"};
const Eater kLink{"kernel/link-down",
                  "The link went down",
                  {"DEV_READY", "NETDEV_DOWN"},
                  {"link-down", "link-deleted"},
                  {"link-up"},
                  {},
                  about_link,
                  "device"};
const Eater kAddress{"kernel/address-removed",
                     "The address was taken away",
                     {},
                     {"address-deleted"},
                     {"address-added"},
                     {},
                     about_address,
                     "address"};
const Eater kBpf{"kernel/bpf",
                 "A BPF program ate segments",
                 {"XDP", "TC_INGRESS", "TC_EGRESS", "BPF_CGROUP_EGRESS", "SOCKET_FILTER", "QDISC_DROP_BPF"},
                 {"bpf-attached"},
                 {"bpf-detached"},
                 {},
                 about_any,
                 "program"};
const Eater kIpsec{"kernel/ipsec-policy",
                   "An xfrm policy ate segments",
                   {"XFRM_POLICY"},
                   {"xfrm-policy-added"},
                   {"xfrm-policy-deleted"},
                   {"XfrmOutPolBlock", "XfrmInPolBlock", "XfrmOutNoStates", "XfrmInNoPols"},
                   about_any,
                   "policy"};
const Eater kOption{"kernel/tcp-option",
                    "A TCP option's check refused segments",
                    {"TCP_MD5NOTFOUND", "TCP_MD5UNEXPECTED", "TCP_MD5FAILURE", "TCP_MINTTL", "TCP_AONOTFOUND",
                     "TCP_AOUNEXPECTED", "TCP_AOKEYNOTFOUND", "TCP_AOFAILURE", "TCP_AUTH_HDR"},
                    {},
                    {},
                    {"TcpExtTCPMD5NotFound", "TcpExtTCPMD5Unexpected", "TcpExtTCPMD5Failure", "TcpExtTCPMinTTLDrop",
                     "TcpExtTCPAONotFound", "TcpExtTCPAOBad", "TcpExtTCPAOKeyNotFound"},
                    about_any,
                    "socket"};

std::string no_eater(const Case& one, const Eater& eater, std::string_view text) {
  if (!one.starved() || !one.facts.complete("changes") || change_before(one, eater) || told_by(one, eater)) return {};
  for (const auto name : eater.counters)
    if (one.facts.counter(name) > 0) return {};
  return std::string(text);
}

}  // namespace

// A missing route with nothing else to explain it. Where a link went down its routes went with it: that is the earlier
// event.
std::optional<Finding> find_route(const Case& one) {
  auto result = eaten_by(one, kRoute);
  if (result && result->culprit.detail.empty() && a_link_is_down(one)) return std::nullopt;
  return result;
}
std::optional<Finding> find_link(const Case& one) { return eaten_by(one, kLink); }
std::optional<Finding> find_address(const Case& one) { return eaten_by(one, kAddress); }
std::optional<Finding> find_ipsec(const Case& one) { return eaten_by(one, kIpsec); }

std::optional<Finding> find_bpf(const Case& one) {
  auto result = eaten_by(one, kBpf);
  if (result) return result;
  // Attached before the run began: only the fact that it is there.
  for (const auto& f : one.facts.facts) {
    const bool program = f.fact.kind == "bpf-attached" || f.fact.kind == "bpf";
    if (!program || !one.starved() || (!one.gap(Who::client).any && !one.gap(Who::server).any)) continue;
    if (!open_hits(one, true).empty() || !open_hits(one, false).empty()) continue;
    result = finding(one, "kernel/bpf", one.until());
    result->mechanism.push_back(record("system", fmt::format("{} is attached", f.fact.object), f.at));
    result->doubts.push_back("nothing says that the program ate these segments (kernel drop reasons would)");
    result->culprit = {.kind = "program", .name = f.fact.object, .detail = f.fact.value};
    result->summary =
        fmt::format("A BPF program is attached ({}) and segments vanish; {}", f.fact.object, outcome_text(one));
    return result;
  }
  return std::nullopt;
}

std::optional<Finding> find_option(const Case& one) {
  auto result = eaten_by(one, kOption);
  if (!result) return result;
  // The socket whose option refuses them ties the counter to this connection.
  for (const Who who : {Who::client, Who::server}) {
    const auto& seen = one.conn.socket[who];
    if (!seen || (seen->state.options.find("md5") == std::string::npos &&
                  seen->state.options.find("min-ttl") == std::string::npos))
      continue;
    result->mechanism.push_back(
        record("sockets", fmt::format("the {}'s socket has {}", name_of(who), seen->state.options), seen->at));
    result->culprit = {.kind = "socket", .name = name_of(who), .detail = seen->state.options};
    result->doubts.clear();
  }
  return result;
}

std::string no_route(const Case& one) { return no_eater(one, kRoute, "no route changed and IpOutNoRoutes moved by 0"); }
std::string no_link(const Case& one) { return no_eater(one, kLink, "no link went down"); }
std::string no_address(const Case& one) { return no_eater(one, kAddress, "no address of the connection was removed"); }
std::string no_ipsec(const Case& one) { return no_eater(one, kIpsec, "no xfrm policy was added"); }
std::string no_bpf(const Case& one) {
  if (!one.starved() || !one.facts.complete("kernel") || told_by(one, kBpf)) return {};
  return "no drop reason names a BPF hook";
}
std::string no_option(const Case& one) {
  if (!one.starved() || !one.facts.complete("counters")) return {};
  for (const auto name : kOption.counters)
    if (one.facts.counter(name) > 0) return {};
  return "the counters of MD5 and minimum TTL moved by 0";
}

}  // namespace lab::verdict::kernel
