// A rule or a chain's policy took a hand in the flow.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/cause.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

bool rejects(const Hits& hits) { return hits.action == "reject"; }
bool rejects_with_reset(const Hits& hits) { return rejects(hits) && hits.text.find("tcp reset") != std::string::npos; }

std::string rule_text(const Hits& hits) {
  const auto chain = fmt::format("{} {} {}", hits.key.family, hits.key.table, hits.key.chain);
  if (hits.type == "policy") return fmt::format("the policy of chain {}", chain);
  if (hits.name.empty()) return fmt::format("rule {} in {}", hits.key.handle, chain);
  return fmt::format("rule '{}' in {}", hits.name, chain);
}

std::string prey(const Hits& hits) {
  if (hits.icmp == hits.count) return plural(hits.icmp, "ICMP message");
  std::string text = plural(hits.count, "segment");
  if (hits.rst == hits.count)
    text = plural(hits.count, "reset");
  else if (hits.fin && !hits.data)
    text += hits.fin == hits.count ? " (FIN)" : fmt::format(" ({} with FIN)", hits.fin);
  else if (hits.pure_ack == hits.count)
    text += hits.count == 1 ? " (an ACK)" : " (ACKs)";
  return text;
}

Record hit_record(const Facts& facts, const Hits& hits, const char* did) {
  auto text = fmt::format("{} {} {} from {} at hook {}", rule_text(hits), did, prey(hits), way(hits.from), hits.hook);
  if (const auto at = facts.rules.find(hits.key); at != facts.rules.end() && at->second.state.counted)
    text += fmt::format("; its counter moved by {}", at->second.hits());
  auto r = record("nft-trace", text, hits.open_first ? hits.open_first : hits.first, hits.last);
  return r;
}

// A counter that moved, where the trace does not say whose segments it were.
const RuleFacts* counted_rule(const Facts& facts, bool (*matches)(const evidence::RuleState&)) {
  const RuleFacts* found = nullptr;
  for (const auto& [key, rule] : facts.rules)
    if (rule.at_end && rule.state.counted && rule.hits() > 0 && matches(rule.state)) {
      if (found) return found;
      found = &rule;
    }
  return found;
}

Culprit counted_culprit(const RuleFacts& rule) {
  return {.kind = "rule",
          .name = rule.state.name,
          .table = rule.key.table,
          .chain = rule.key.chain,
          .hook = rule.state.hook,
          .family = rule.key.family,
          .text = rule.state.text,
          .place = rule.state.file,
          .handle = rule.key.handle};
}

// What ate segments: the earliest rule whose prey was never made good, the ICMP that would have mended it included.
const Hits* eater(const Case& one) {
  for (const auto* hits : open_hits(one, true))
    if (!rejects(*hits) && (hits->icmp != hits->count || one.gap(Who::client).any || one.gap(Who::server).any))
      return hits;
  return nullptr;
}

const Hits* kernel_word(const Case& one, std::string_view reason) {
  for (const auto* hits : open_hits(one, false))
    if (hits->reason == reason) return hits;
  return nullptr;
}

std::optional<Finding> find_drop(const Case& one) {
  if (!one.starved()) return std::nullopt;
  if (const auto* hits = eater(one)) {
    auto result = finding(one, "firewall/drop", hits->open_first.t);
    result.mechanism.push_back(hit_record(one.facts, *hits, "dropped"));
    result.culprit = rule_culprit(one.facts, *hits);
    result.culprit.detail = fmt::format("{}, {}", hits->hook, way(hits->from));
    const bool icmp = hits->icmp == hits->count;
    result.summary = fmt::format(
        "A firewall rule dropped {} {}: {}; {}", prey(*hits),
        icmp ? "that would have told the sender to send less" : "from " + way(hits->from) + " after the handshake",
        rule_text(*hits), outcome_text(one));
    return result;
  }
  const auto* word = kernel_word(one, "NETFILTER_DROP");
  const bool missing = one.gap(Who::client).any || one.gap(Who::server).any;
  const bool traced_reject =
      std::any_of(one.conn.hits.begin(), one.conn.hits.end(), [](const Hits& h) { return h.rule && rejects(h); });
  if (traced_reject || (!missing && !word)) return std::nullopt;
  const auto* rule = one.facts.complete("nft-trace") && !word
                         ? nullptr
                         : counted_rule(one.facts, [](const evidence::RuleState& r) { return r.action == "drop"; });
  // A reject reads as a drop to the kernel's own reason.
  const auto* reject = counted_rule(one.facts, [](const evidence::RuleState& r) { return r.action == "reject"; });
  if (!word && !rule) return std::nullopt;
  auto result = finding(one, "firewall/drop", word ? word->open_first.t : one.until());
  if (word)
    result.mechanism.push_back(record(
        "kernel", fmt::format("{} from {} dropped: {}", plural(word->count, "segment"), way(word->from), word->reason),
        word->open_first, word->last));
  if (rule) {
    result.mechanism.push_back(
        record("rules", fmt::format("the counter of {} moved by {}", rule->state.text, rule->hits()), rule->end));
    result.culprit = counted_culprit(*rule);
    if (!word)
      result.doubts.push_back("the counter does not say whose segments they were (rule trace: off or incomplete)");
  }
  const bool refused = !one.conn.icmp.empty() || reject || !one.facts.on("rules");
  if (word && refused)
    result.doubts.push_back(
        "a rule that rejects drops with the same reason, and the rule trace did not tell which it was");
  result.summary = fmt::format("A firewall dropped segments after the handshake; {}", outcome_text(one));
  return result;
}

std::optional<Finding> find_reject_reset(const Case& one) {
  const bool closed = one.gone() && one.closing.any && !one.closing.fin && one.closing.foreign();
  const Hits* hits = one.closing.rule;
  if (!closed || one.closing.builder == Closing::Builder::injected) hits = nullptr;
  if (one.starved())
    for (const auto* open : open_hits(one, true))
      if (rejects_with_reset(*open) && !hits) hits = open;
  const auto* rule = hits || !closed ? nullptr : counted_rule(one.facts, [](const evidence::RuleState& r) {
    return r.text.find("tcp reset") != std::string::npos;
  });
  if (!hits && (!closed || one.closing.builder != Closing::Builder::foreign || !rule)) return std::nullopt;
  auto result = finding(one, "firewall/reject-reset", hits ? std::min(hits->first.t, one.until()) : one.closing.at.t);
  if (hits) {
    result.mechanism.push_back(hit_record(one.facts, *hits, "rejected"));
    result.culprit = rule_culprit(one.facts, *hits);
    result.culprit.detail = fmt::format("{}, {}", hits->hook, way(hits->from));
    if (closed && !one.closing.certain)
      result.doubts.push_back(
          "the reset's number is not that of the rejected segment, and nothing says that no TCP built it");
  } else {
    result.mechanism.push_back(
        record("rules", fmt::format("the counter of {} moved by {}", rule->state.text, rule->hits()), rule->end));
    result.culprit = counted_culprit(*rule);
    result.doubts.push_back("the counter does not say whose segments they were (rule trace: off or incomplete)");
  }
  for (const auto& r : one.closing.why) result.effect.push_back(r);
  result.summary = fmt::format("A firewall rule answered a segment{} with a reset of its own: {}; {}",
                               hits ? " from " + way(hits->from) : "", hits ? rule_text(*hits) : rule->state.text,
                               outcome_text(one));
  return result;
}

std::optional<Finding> find_reject_icmp(const Case& one) {
  if (!one.starved()) return std::nullopt;
  for (const auto* hits : open_hits(one, true)) {
    if (!rejects(*hits) || rejects_with_reset(*hits)) continue;
    auto result = finding(one, "firewall/reject-icmp", hits->open_first.t);
    result.mechanism.push_back(hit_record(one.facts, *hits, "refused"));
    for (const auto& icmp : one.conn.icmp)
      if (icmp.quoted == hits->from)
        result.effect.push_back(
            record("wire", fmt::format("{} of type {} code {}", plural(icmp.count, "ICMP error"), icmp.type, icmp.code),
                   icmp.first));
    result.culprit = rule_culprit(one.facts, *hits);
    result.culprit.detail = fmt::format("{}, {}", hits->hook, way(hits->from));
    result.summary =
        fmt::format("A firewall rule refused {} from {} with ICMP, which an established connection only notes: {}; {}",
                    prey(*hits), way(hits->from), rule_text(*hits), outcome_text(one));
    return result;
  }
  // Without the trace: a refusal on the wire, and a rule that refuses.
  const auto* rule = counted_rule(one.facts, [](const evidence::RuleState& r) {
    return r.action == "reject" && r.text.find("tcp reset") == std::string::npos;
  });
  const bool traced = one.facts.complete("nft-trace");
  const auto refusal = std::find_if(one.conn.icmp.begin(), one.conn.icmp.end(),
                                    [](const IcmpFacts& i) { return i.type == 3 ? i.code != 4 : i.type == 1; });
  if (refusal == one.conn.icmp.end() || traced) return std::nullopt;
  const auto* word = kernel_word(one, "NETFILTER_DROP");
  if (!rule && !word) return std::nullopt;
  auto result = finding(one, "firewall/reject-icmp", refusal->first.t);
  result.effect.push_back(record(
      "wire", fmt::format("{} of type {} code {}", plural(refusal->count, "ICMP error"), refusal->type, refusal->code),
      refusal->first));
  if (word)
    result.mechanism.push_back(record(
        "kernel", fmt::format("{} dropped: {}", plural(word->count, "segment"), word->reason), word->open_first));
  if (rule) {
    result.mechanism.push_back(
        record("rules", fmt::format("the counter of {} moved by {}", rule->state.text, rule->hits()), rule->end));
    result.culprit = counted_culprit(*rule);
  }
  if (!word || !rule) result.doubts.push_back("no trace ties the refusal to a rule");
  result.summary = fmt::format("A firewall refused segments with ICMP, which an established connection only notes; {}",
                               outcome_text(one));
  return result;
}

std::optional<Finding> find_nat_lost(const Case& one) {
  const auto& conn = one.conn;
  if (!one.complaint || one.unconnected() || !conn.translated) return std::nullopt;
  const ChangeFacts* change = nullptr;
  for (const auto& c : one.facts.changes)
    if ((c.change.kind == "rule-deleted" || c.change.kind == "table-deleted" || c.change.kind == "rule-added") &&
        c.at.t >= conn.began.t && c.at.t <= one.until() + 50'000'000) {
      const auto rule = one.facts.rules.find({c.change.netns, "", "", "", c.change.handle});
      (void)rule;
      const auto text = c.change.object + " " + c.change.detail;
      const bool nat = text.find("nat") != std::string::npos || text.find("redirect") != std::string::npos ||
                       text.find("masquerade") != std::string::npos || c.change.kind == "table-deleted";
      if (nat && !change) change = &c;
    }
  const bool forgotten = conn.flow_gone && conn.flow_gone.t <= one.until() + 50'000'000 &&
                         (!conn.ended || conn.flow_gone.t <= conn.ended.t + 50'000'000);
  const bool naked = bool(conn.untranslated) || conn.strays > 0;
  if (!naked && !(forgotten && one.starved()) && !(change && one.starved())) return std::nullopt;
  std::int64_t at = one.until();
  if (change) at = std::min(at, change->at.t);
  if (forgotten) at = std::min(at, conn.flow_gone.t);
  if (conn.untranslated) at = std::min(at, conn.untranslated.t);
  auto result = finding(one, "firewall/nat-lost", at);
  if (change) {
    result.mechanism.push_back(
        record("changes", fmt::format("{}: {}", change->change.kind, change->change.object), change->at));
    result.culprit = {.kind = "rule",
                      .text = change->change.object,
                      .handle = change->change.handle,
                      .pid = change->change.pid,
                      .detail = change->change.kind};
  }
  if (forgotten)
    result.mechanism.push_back(
        record("conntrack", "the flow's entry was destroyed while the connection lived", conn.flow_gone));
  if (conn.untranslated)
    result.effect.push_back(record("wire",
                                   fmt::format("a segment to {} that translation should have changed to {}",
                                               to_string(conn.asked), to_string(conn.server)),
                                   conn.untranslated));
  if (conn.strays)
    result.effect.push_back(record("wire",
                                   fmt::format("{} of the flow under other addresses, the first {}",
                                               plural(conn.strays, "segment"), conn.stray_to),
                                   conn.stray));
  if (!naked) result.doubts.push_back("no segment without its translation was seen");
  result.summary = fmt::format(
      "The address translation of the live connection vanished, so its segments went astray; {}", outcome_text(one));
  return result;
}

bool damaged(const std::string& reason) {
  return reason == "TCP_CSUM" || reason == "IP_CSUM" || reason == "SKB_CSUM" || reason == "CSUM" ||
         reason == "TCP_BAD_OPTION" || reason == "HDR_TRUNC" || reason == "PKT_TOO_SMALL" || reason == "IP_INHDR";
}

// A SYN or SYN,ACK within the window of an established connection is answered with a challenge and counted in both.
std::int64_t damaged_segments(const Facts& facts) {
  const auto errors = facts.counter("TcpInErrs") - facts.counter("TcpExtTCPSYNChallenge");
  return facts.counter("TcpInCsumErrors") + std::max<std::int64_t>(errors, 0);
}

std::optional<Finding> find_mangled(const Case& one) {
  const auto& conn = one.conn;
  if (!one.complaint || conn.translated || one.unconnected()) return std::nullopt;
  const Hits* word = nullptr;
  for (const auto* hits : open_hits(one, false))
    if (damaged(hits->reason) && !word) word = hits;
  const auto errors = damaged_segments(one.facts);
  const bool harmed = conn.strays > 0 || word || (errors > 0 && (one.gap(Who::client).any || one.gap(Who::server).any));
  if (!harmed && !conn.rewritten) return std::nullopt;
  if (!harmed && !one.gap(Who::client).any && !one.gap(Who::server).any && !one.gone()) return std::nullopt;
  if (!harmed && one.gone() && !one.closing.foreign() && one.acts_known(one.doer()) &&
      one.closer(one.doer()).how != Closer::How::unknown)
    return std::nullopt;
  auto result = finding(one, "firewall/mangled",
                        conn.rewritten ? conn.rewritten.t
                        : word         ? word->open_first.t
                        : conn.stray   ? conn.stray.t
                                       : one.until());
  if (conn.rewritten) {
    result.mechanism.push_back(
        record("nft-trace",
               fmt::format("{} wrote into a segment of the flow: {}", rule_text(conn.rewriter), conn.rewriter.text),
               conn.rewritten));
    result.culprit = rule_culprit(one.facts, conn.rewriter);
    if (!harmed) result.doubts.push_back("no segment was seen to have suffered from it");
  }
  if (word)
    result.mechanism.push_back(record(
        "kernel", fmt::format("{} dropped: {}", plural(word->count, "segment"), word->reason), word->open_first));
  if (conn.strays)
    result.effect.push_back(record("wire",
                                   fmt::format("{} of the flow under other addresses, the first {}",
                                               plural(conn.strays, "segment"), conn.stray_to),
                                   conn.stray));
  if (errors > 0)
    result.effect.push_back(
        record("counters", fmt::format("{} with errors arrived", plural(static_cast<std::uint64_t>(errors), "segment")),
               one.facts.counter_mark("TcpInErrs")));
  if (!conn.rewritten) result.doubts.push_back("which rule rewrote them is not known");
  result.summary =
      fmt::format("Segments were rewritten on their way so that TCP could not use them; {}", outcome_text(one));
  return result;
}

// ---- why not

std::string no_rule(const Case& one) {
  if (!one.facts.complete("nft-trace") || !one.complaint) return {};
  std::uint64_t met = 0, open = 0;
  for (const auto& hits : one.conn.hits)
    if (hits.rule) {
      met += hits.count;
      open += hits.open_first ? 1 : 0;
    }
  std::uint64_t moved = 0;
  for (const auto& [key, rule] : one.facts.rules)
    if ((rule.state.action == "drop" || rule.state.action == "reject") && rule.hits() > 0) ++moved;
  if (met == 0 && moved == 0) return "no rule dropped or refused a segment of this connection";
  if (met > 0 && open == 0)
    return fmt::format("what rules dropped ({}) was sent again and acknowledged", plural(met, "segment"));
  return {};
}
std::string no_drop(const Case& one) { return one.starved() ? no_rule(one) : std::string(); }
std::string no_reject_reset(const Case& one) {
  if (!one.closing.any) return {};
  if (one.closing.fin) return "the first closing segment is a FIN; rules make resets";
  if (one.closing.builder != Closing::Builder::tcp || one.closing.why.empty()) return {};
  return one.closing.why.front().text;
}
std::string no_reject_icmp(const Case& one) {
  if (!one.starved() || !one.wire_complete || !one.conn.icmp.empty()) return {};
  return "no ICMP error about this connection was on the wire";
}

}  // namespace

std::span<const Cause> firewall_causes() {
  static const std::vector<Cause> all = {
      {"firewall/drop",
       "a rule or a chain's policy ate segments after the handshake",
       find_drop,
       no_drop,
       {"nft list ruleset: counters of drop rules and policies that move while the connection hangs",
        "nft add rule … meta nftrace set 1 in a prerouting and an output chain of your own; nft monitor trace",
        "Is there a rule that accepts established flows (ct state established,related accept) ahead of it?",
        "nstat -az | grep Retrans on the sender; ss -tnoi shows the timer and its back-off"}},
      {"firewall/reject-reset",
       "a rule answered segments with a reset after the handshake",
       find_reject_reset,
       no_reject_reset,
       {"nstat -az TcpOutRsts on both ends: unchanged although a reset was seen means that no TCP built it",
        "nft list ruleset | grep 'reject with tcp reset', and middleboxes between the two: compare the reset's TTL "
        "with the flow's"}},
      {"firewall/reject-icmp",
       "a rule refused segments with ICMP after the handshake",
       find_reject_icmp,
       no_reject_icmp,
       {"tcpdump -ni any 'icmp[0]==3 or icmp6[0]==1' shows who refuses",
        "An established connection hangs on it: put ct state established accept ahead of the reject"}},
      {"firewall/nat-lost",
       "address translation of a live flow vanished",
       find_nat_lost,
       nullptr,
       {"conntrack -L -p tcp --dport PORT, and conntrack -E while it happens: a DESTROY of a live flow",
        "Who reloads rules or flushes conntrack: docker, firewalld, keepalived; sysctl "
        "net.netfilter.nf_conntrack_tcp_timeout_established"}},
      {"firewall/mangled",
       "a rule rewrote what TCP relies on",
       find_mangled,
       nullptr,
       {"nft list ruleset | grep -E ' set |reset tcp option'; iptables -t mangle -S",
        "nstat -az TcpInCsumErrors TcpInErrs; compare a capture on both ends segment by segment"}},
  };
  return all;
}

}  // namespace lab::verdict
