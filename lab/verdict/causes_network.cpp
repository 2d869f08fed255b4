// What neither end did and nothing here ate.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/cause.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

using What = Complaint::What;

// Which timer noticed: keepalive, the user timeout, or the retransmission limit.
std::string noticed_by(const Case& one, Who who) {
  for (const auto& built : one.conn.built[who])
    if (built.reason.find("KEEPALIVE") != std::string::npos) return "keepalive";
  if (one.facts.counter("TcpExtTCPKeepAlive") > 0 && one.conn.stream[who].unanswered) return "keepalive";
  const auto& last = one.conn.gone[who] ? one.conn.gone[who] : one.conn.socket[who];
  if (last && last->state.options.find("user-timeout") != std::string::npos) return "user timeout";
  if (one.complaint && one.complaint->deed && one.complaint->deed->error == ETIMEDOUT)
    return one.conn.stream[who].repeats ? "the retransmission limit or a user timeout" : "keepalive or a user timeout";
  return {};
}

// Everybody here who could have eaten a segment was watched and did not.
std::vector<std::string> unwatched(const Case& one) {
  std::vector<std::string> doubts;
  for (const auto* source : {"nft-trace", "changes", "kernel"})
    if (!one.facts.complete(source))
      doubts.push_back(fmt::format("{} {}", source, one.facts.on(source) ? "lost events" : "is off"));
  return doubts;
}

// Something on this machine that accounts for the silence.
std::optional<Finding> eaten_here(const Case& one) {
  for (const auto& cause : kernel_causes())
    if (auto found = cause.find(one); found && !found->mechanism.empty()) return found;
  return std::nullopt;
}

// A link beyond this machine that went down before the silence was noticed: what a network's own monitoring would tell.
const ChangeFacts* distant_link(const Case& one) {
  for (const auto& c : one.facts.changes) {
    const bool down = c.change.kind == "link-down" || c.change.kind == "link-deleted";
    if (down && !c.change.netns.empty() && c.change.netns != name_of(one.victim()) && c.at.t <= one.until()) return &c;
  }
  return nullptr;
}

// A next hop that answers no question for its hardware address is the silence itself; a router without a route has lost
// it with its link, and one whose end of the link has no carrier drops at its queue (seen on 6.1, not on 6.18).
bool told_of_silence(const Hits& hits, bool link_down) {
  return hits.reason.starts_with("NEIGH_") ||
         (link_down && (hits.reason.ends_with("NOROUTES") || hits.reason == "QDISC_DROP"));
}

// A rule in that namespace that lets not everything pass: where its trace is off or was lost, it eats unseen.
bool filtered_in(const Case& one, const std::string& netns) {
  return std::any_of(one.facts.rules.begin(), one.facts.rules.end(), [&](const auto& entry) {
    const auto& rule = entry.second;
    return rule.key.netns == netns && rule.state.action != "accept" && (!rule.state.counted || rule.hits() > 0);
  });
}

std::optional<Finding> find_silent(const Case& one) {
  if (!one.starved()) return std::nullopt;
  const Who victim = one.victim();
  const auto& stream = one.conn.stream[victim];
  const auto* link = distant_link(one);
  const auto taken = open_hits(one, false);
  const bool by_silence = std::all_of(taken.begin(), taken.end(),
                                      [&](const Hits* hits) { return told_of_silence(*hits, link != nullptr); });
  if (!open_hits(one, true).empty() || !by_silence) return std::nullopt;
  const bool lost = one.gap(victim).on_wire || stream.unanswered > 1;
  const auto timer = noticed_by(one, victim);
  if (!lost || (timer.empty() && stream.repeats == 0)) return std::nullopt;
  // On loopback every loss has an eater on this very machine; a peer that is stopped still acknowledges.
  if (one.loopback() && one.wire_complete) {
    return std::nullopt;
  }
  // What went into a router and did not come out was lost there, unless the router knew of the silence.
  const bool inside = !stream.went_into.empty() && !link && taken.empty();
  if (inside && filtered_in(one, stream.went_into)) return std::nullopt;
  const auto eaten = eaten_here(one);
  if (eaten && eaten->status() == Status::confirmed) return std::nullopt;
  auto result =
      finding(one, "network/peer-silent", one.gap(victim).since ? one.gap(victim).since.t : stream.last_data.t);
  result.mechanism.push_back(
      record("wire",
             fmt::format("{} and {} left the {}, and nothing came back{}", plural(stream.repeats, "repetition"),
                         plural(stream.unanswered, "probe"), name_of(victim),
                         stream.last_seen.empty() ? "" : fmt::format("; last seen at {}", stream.last_seen)),
             stream.last_repeat ? stream.last_repeat : stream.last_data));
  result.doubts = unwatched(one);
  std::erase_if(result.doubts, [](const std::string& d) { return d.starts_with("kernel"); });
  if (eaten) result.doubts.push_back(fmt::format("{} is not excluded", eaten->cause));
  if (stream.arrived_to && behind(stream.acked, stream.arrived_to) && !link)
    result.doubts.push_back(fmt::format("what was not acknowledged had arrived at the {}", name_of(other(victim))));
  for (const auto& c : one.facts.changes)
    if (!link && c.change.kind == "link-down" && c.at.t >= one.conn.began.t && c.at.t <= one.until())
      result.doubts.push_back(fmt::format("link {} had gone down", c.change.object));
  if (inside) result.doubts.push_back(fmt::format("{} did not pass on what went into it", stream.went_into));
  if (link && one.complaint->weak) result.doubts.push_back("which end noticed is not known: the link may be its own");
  result.culprit = {.kind = "peer", .name = name_of(other(victim)), .detail = timer};
  if (link) {
    result.mechanism.push_back(record(
        "changes", fmt::format("{} {} in {}", link->change.kind, link->change.object, link->change.netns), link->at));
    result.culprit.name += fmt::format(", behind {}", link->change.object);
  }
  result.summary =
      fmt::format("The {}'s segments left, nothing here ate them and nothing came back{}; {}", name_of(victim),
                  timer.empty() ? "" : fmt::format(", which {} noticed", timer), outcome_text(one));
  return result;
}

std::optional<Finding> injected(const Case& one, std::string_view name, bool fin) {
  if (!one.gone() || !one.closing.any || one.closing.fin != fin) return std::nullopt;
  const bool sure = one.closing.builder == Closing::Builder::injected;
  if (!sure && one.closing.builder != Closing::Builder::foreign) return std::nullopt;
  // Whoever's call met a reset was not reset by a segment with its own address: the one that did it was not seen.
  const auto& met = one.complaint->deed;
  if (!fin && one.closing.from == one.victim() && met && met->error == ECONNRESET) return std::nullopt;
  auto result = finding(one, name, one.closing.at.t);
  result.mechanism = one.closing.why;
  if (!sure)
    result.doubts.push_back("a rule that rejects with a reset would look the same (rule trace: off or incomplete)");
  if (!fin && (one.conn.untranslated || one.conn.strays))
    result.doubts.push_back(
        "a segment went out under another address than the connection's: it may have been answered");
  if (one.conn.rewritten)
    result.doubts.push_back("a rule had rewritten segments of this connection: it may have made it of one of them");
  result.culprit = {.kind = "peer",
                    .name = "neither end",
                    .detail = fmt::format("the closing segment bears the {}'s address", name_of(one.closing.from))};
  result.summary = fmt::format("A {} that the {} did not send ended the connection; {}", fin ? "FIN" : "reset",
                               name_of(one.closing.from), outcome_text(one));
  return result;
}
std::optional<Finding> find_injected_reset(const Case& one) { return injected(one, "network/injected-reset", false); }
std::optional<Finding> find_injected_fin(const Case& one) { return injected(one, "network/injected-fin", true); }

std::string no_silent(const Case& one) {
  if (!one.starved() || !one.conn.wire) return {};
  const auto& back = one.conn.stream[other(one.victim())];
  if (one.gap(one.victim()).any || !back.segments) return {};
  return fmt::format("the {} acknowledged everything that reached the wire", name_of(other(one.victim())));
}
std::string no_injected_reset(const Case& one) {
  if (!one.closing.any || one.closing.fin || one.closing.builder != Closing::Builder::tcp || one.closing.why.empty())
    return {};
  return one.closing.why.front().text;
}
std::string no_injected_fin(const Case& one) {
  if (!one.closing.any || !one.closing.fin || one.closing.builder != Closing::Builder::tcp) return {};
  const auto& seen = one.conn.socket[one.closing.from];
  if (!seen || seen->at.t <= one.closing.at.t || seen->state.state == "ESTABLISHED") return {};
  return fmt::format("the {}'s socket went on to {}", name_of(one.closing.from), seen->state.state);
}

}  // namespace

std::span<const Cause> network_causes() {
  static const std::vector<Cause> all = {
      {"network/peer-silent",
       "segments left, nothing here ate them, nothing came back",
       find_silent,
       no_silent,
       {"ss -tnoi: the retransmission or keepalive timer and its count; ping and traceroute to the peer",
        "Capture on the peer's side: does the segment arrive there?",
        "TCP_USER_TIMEOUT or keepalive notice it in seconds instead of 15 minutes"}},
      {"network/injected-reset",
       "a reset that neither end sent",
       find_injected_reset,
       no_injected_reset,
       {"Capture on both ends: only one of them has the reset, and its TTL or IP id does not fit the flow",
        "nstat -az TcpOutRsts on the alleged sender does not move",
        "Middleboxes: intrusion prevention, load balancers' idle timeouts, a stale session table"}},
      {"network/injected-fin",
       "a FIN that neither end sent",
       find_injected_fin,
       no_injected_fin,
       {"The alleged sender's socket is still ESTABLISHED: ss -tn there",
        "Capture on both ends: only one of them has the FIN"}},
  };
  return all;
}

}  // namespace lab::verdict
