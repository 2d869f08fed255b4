// A rule or a chain's policy dropped, reset or refused segments.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/firewall.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::firewall {
namespace {

bool rejects(const Hits& hits) { return hits.action == "reject"; }
bool rejects_with_reset(const Hits& hits) { return rejects(hits) && hits.text.find("tcp reset") != std::string::npos; }

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

// The repetition got through, but only when the victim had given up: what was eaten had not come until then.
bool mended_too_late(const Case& one, const Hits& hits) {
  const auto& stream = one.conn.stream[hits.from];
  if (!hits.rule || rejects(hits) || !hits.data || hits.open_first || !stream.syns || !one.acts_known(other(hits.from)))
    return false;
  const auto& then = one.complaint->then[hits.from];
  const auto come = std::max(then.delivered, then.read);
  const bool under_way = then.open || then.written > then.sent;
  constexpr std::int64_t read_late = 50'000'000;
  return under_way && hits.end - (stream.isn + 1) > come && hits.last.t <= one.until() + read_late;
}

const Hits* late_eater(const Case& one) {
  const auto& all = one.conn.hits;
  const auto at = std::find_if(all.begin(), all.end(), [&](const Hits& hits) { return mended_too_late(one, hits); });
  return at == all.end() ? nullptr : &*at;
}

// What ate the answers to keepalive's probes, so that TCP gave up: nothing sends an ACK again.
const Hits* answers_eater(const Case& one) {
  const auto& c = *one.complaint;
  const auto& asking = one.conn.stream[c.victim];
  if (!c.deed || c.deed->error != ETIMEDOUT || !asking.probes || c.then[c.victim].open) return nullptr;
  for (const auto& hits : one.conn.hits)
    if (hits.rule && !rejects(hits) && hits.from == other(c.victim) && hits.pure_ack == hits.count &&
        hits.first.t > one.acked_at(c.victim) && hits.last.t <= one.until())
      return &hits;
  return nullptr;
}

const Hits* kernel_word(const Case& one, std::string_view reason) {
  for (const auto* hits : open_hits(one, false))
    if (hits->reason == reason) return hits;
  return nullptr;
}

}  // namespace

std::string rule_text(const Hits& hits) {
  const auto chain = fmt::format("{} {} {}", hits.key.family, hits.key.table, hits.key.chain);
  if (hits.type == "policy") return fmt::format("the policy of chain {}", chain);
  if (!hits.name.empty()) return fmt::format("rule '{}' in {}", hits.name, chain);
  // A handle is no line number: the rule's own words say which one it is.
  if (hits.text.empty()) return fmt::format("the rule with handle {} in {}", hits.key.handle, chain);
  constexpr std::size_t kReadable = 120;
  const auto text = hits.text.size() > kReadable ? hits.text.substr(0, kReadable) + "..." : hits.text;
  return fmt::format("rule '{}' (handle {}) in {}", text, hits.key.handle, chain);
}

std::optional<Finding> find_drop(const Case& one) {
  if (!one.starved()) return std::nullopt;
  const auto* hits = eater(one);
  if (!hits) hits = late_eater(one);
  if (!hits) hits = answers_eater(one);
  if (hits) {
    auto result = finding(one, "firewall/drop", hits->open_first ? hits->open_first.t : hits->first.t);
    result.mechanism.push_back(hit_record(one.facts, *hits, "dropped"));
    result.culprit = rule_culprit(one.facts, *hits);
    result.culprit.detail = fmt::format("{}, {}", hits->hook, way(hits->from));
    result.doubts = loss_doubts(one);
    const bool icmp = hits->icmp == hits->count;
    result.summary = fmt::format(
        "A firewall rule dropped {} {}: {}; {}", prey(*hits),
        icmp ? "that would have told the sender to send less" : "from " + way(hits->from) + " after the handshake",
        rule_text(*hits), outcome_text(one));
    return result;
  }
  if (auto hole = find_path_mtu(one)) return hole;
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
    result.doubts = loss_doubts(one);
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

std::string no_rule(const Case& one) {
  if (!one.facts.complete("nft-trace") || !one.complaint) return {};
  std::uint64_t met = 0, open = 0;
  for (const auto& hits : one.conn.hits)
    if (hits.rule) {
      met += hits.count;
      open += hits.open_first || hits.pure_ack ? 1 : 0;  // an ACK is not sent again
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

}  // namespace lab::verdict::firewall
