// Address translation that vanished, and rules that write into segments.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/firewall.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::firewall {
namespace {

bool damaged(const std::string& reason) {
  return reason == "TCP_CSUM" || reason == "IP_CSUM" || reason == "SKB_CSUM" || reason == "CSUM" ||
         reason == "TCP_BAD_OPTION" || reason == "HDR_TRUNC" || reason == "PKT_TOO_SMALL" || reason == "IP_INHDR";
}

// A change during the connection that may have taken its translation.
const ChangeFacts* lost_its_translation(const Case& one) {
  const auto& all = one.facts.changes;
  const auto at = std::find_if(all.begin(), all.end(), [&](const ChangeFacts& c) {
    const auto& kind = c.change.kind;
    if (kind != "rule-deleted" && kind != "table-deleted" && kind != "rule-added") return false;
    if (c.at.t < one.conn.began.t || c.at.t > one.until() + 50'000'000) return false;
    const auto text = c.change.object + " " + c.change.detail;
    const auto says = [&](const char* word) { return text.find(word) != std::string::npos; };
    return kind == "table-deleted" || says("nat") || says("redirect") || says("masquerade");
  });
  return at == all.end() ? nullptr : &*at;
}

}  // namespace

std::optional<Finding> find_nat_lost(const Case& one) {
  const auto& conn = one.conn;
  if (!one.complaint || one.unconnected() || !conn.translated) return std::nullopt;
  const auto* change = lost_its_translation(one);
  const bool forgotten = conn.flow_gone && conn.flow_gone.t <= one.until() + 50'000'000 &&
                         (!conn.ended || conn.flow_gone.t <= conn.ended.t + 50'000'000);
  const auto by_then = [&](const Mark& mark) { return mark && mark.t <= one.until(); };
  const bool naked = by_then(conn.untranslated) || by_then(conn.stray);
  if (!naked && !(forgotten && one.starved()) && !(change && one.starved())) return std::nullopt;
  std::int64_t at = one.until();
  if (change) at = std::min(at, change->at.t);
  if (forgotten) at = std::min(at, conn.flow_gone.t);
  if (by_then(conn.untranslated)) at = std::min(at, conn.untranslated.t);
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
                                   conn.asked.known()
                                       ? fmt::format("a segment to {} that translation should have changed to {}",
                                                     to_string(conn.asked), to_string(conn.server))
                                       : fmt::format("a segment from {} that translation should have changed to {}",
                                                     to_string(conn.client), to_string(conn.shown)),
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

// A SYN or SYN,ACK within the window of an established connection is answered with a challenge and counted in both.
std::int64_t damaged_segments(const Facts& facts) {
  const auto errors = facts.counter("TcpInErrs") - facts.counter("TcpExtTCPSYNChallenge");
  return facts.counter("TcpInCsumErrors") + std::max<std::int64_t>(errors, 0);
}

bool writes(const Hits& rule, std::string_view field) {
  return rule.text.find(std::string(field) + " set") != std::string::npos;
}

// Segments whose numbers a rule has rewritten never get across. One whose window was leaves the other end without room,
// which looks from there as if something ate what it sends: nothing may have.
bool never_recovers(const Case& one) {
  const auto& conn = one.conn;
  if (!conn.rewritten || conn.rewritten.t > one.until() || !open_hits(one, true).empty()) return false;
  const auto& rule = conn.rewriter;
  if (writes(rule, "tcp sequence") || writes(rule, "tcp ackseq")) return one.gap(rule.from).any;
  const bool nothing_ate =
      one.facts.complete("kernel") && one.facts.complete("nft-trace") && open_hits(one, false).empty();
  return writes(rule, "tcp window") && nothing_ate && one.gap(other(rule.from)).any;
}

// That nothing got across for the rewriting: bytes that did, and what else came in between, speak against it.
void tell_what_else(const Case& one, Finding& result) {
  // Without a window it is the other end that sends nothing.
  const auto& rule = one.conn.rewriter;
  const auto across = writes(rule, "tcp window") && one.complaint && !one.complaint->then[other(rule.from)].open
                          ? one.acked_at(other(rule.from))
                          : one.last_progress();
  if (across > one.conn.rewritten.t + 50'000'000)
    result.doubts.push_back("bytes had got across after the first that was rewritten");
  for (const auto& c : one.facts.changes)
    if (c.at.t >= one.conn.rewritten.t && c.at.t <= one.until() && !c.change.kind.starts_with("rule-") &&
        (c.change.kind.ends_with("-down") || c.change.kind.ends_with("-deleted") || c.change.kind.ends_with("-added") ||
         c.change.kind.ends_with("-attached")))
      result.doubts.push_back(fmt::format("{} {} came in between", c.change.kind, c.change.object));
}

std::optional<Finding> find_mangled(const Case& one) {
  const auto& conn = one.conn;
  if (!one.complaint || conn.translated || one.unconnected()) return std::nullopt;
  const Hits* word = nullptr;
  for (const auto* hits : open_hits(one, false))
    if (damaged(hits->reason) && !word) word = hits;
  const auto errors = damaged_segments(one.facts);
  const bool strayed = conn.stray && conn.stray.t <= one.until();
  const bool harmed =
      strayed || word || never_recovers(one) || (errors > 0 && (one.gap(Who::client).any || one.gap(Who::server).any));
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
    if (!strayed && !word) tell_what_else(one, result);
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

}  // namespace lab::verdict::firewall
