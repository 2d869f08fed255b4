// Nobody answered the SYN; and what the finders of a failed connect share.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/connect.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::connect {

const Hits* syn_eater(const Case& one, bool rules) {
  for (const auto& hits : one.conn.hits)
    if (hits.rule == rules && hits.open_first) return &hits;
  return nullptr;
}

int error_of(const Case& one) { return one.complaint && one.complaint->deed ? one.complaint->deed->error : 0; }
bool refused_on_wire(const Case& one) { return bool(one.conn.stream.server.rst); }

Finding start(const Case& one, std::string_view name) {
  auto result = finding(one, name, one.conn.began.t);
  result.by = "nobody";
  return result;
}

std::string rule_label(const Hits& hits) {
  if (hits.type == "policy") return "the policy of chain " + hits.key.chain;
  return fmt::format("rule '{}'", hits.name.empty() ? hits.text : hits.name);
}

void blame_rule(const Case& one, const Hits& hits, Finding& result) {
  result.culprit = rule_culprit(one.facts, hits);
  result.culprit.detail = fmt::format("{}, {}", hits.hook, way(hits.from));
  result.mechanism.push_back(
      record("nft-trace",
             fmt::format("{} in {} {} {} {} {}", rule_label(hits), hits.key.family, hits.key.table, hits.key.chain,
                         hits.action == "reject" ? "rejected" : "dropped", plural(hits.count, "segment")),
             hits.first, hits.last));
}

std::optional<Finding> find_no_answer(const Case& one) {
  if (!one.unconnected() || refused_on_wire(one)) return std::nullopt;
  const int error = error_of(one);
  if (error && error != ETIMEDOUT && error != EINPROGRESS && error != EAGAIN) return std::nullopt;
  const auto* hits = syn_eater(one, true);
  if (hits && hits->action == "reject" && refusal(one)) return std::nullopt;  // that is an answer
  if (!hits && overflowed(one)) return std::nullopt;
  const auto* word = syn_eater(one, false);
  auto result = start(one, "connect/no-answer");
  const auto& client = one.conn.stream.client;
  const auto& server = one.conn.stream.server;
  if (hits) {
    blame_rule(one, *hits, result);
  } else if (word) {
    result.mechanism.push_back(record("kernel",
                                      fmt::format("{} dropped: {}", plural(word->count, "segment"), word->reason),
                                      word->first, word->last));
  } else if (client.syns && server.syns) {
    result.mechanism.push_back(record("wire",
                                      fmt::format("{} answered with {}, and still no handshake",
                                                  plural(client.syns, "SYN"), plural(server.syns, "SYN,ACK")),
                                      server.syn));
  } else if (client.syns > 1 && !one.loopback()) {
    result.mechanism.push_back(record("wire", fmt::format("{}, no answer to any", plural(client.syns, "SYN")),
                                      client.syn, client.last_repeat));
  } else {
    result.doubts.push_back("what ate the SYN or its answer was not seen");
  }
  if (hits && hits->count < client.syns && overflowed(one))
    result.doubts.push_back("the listen queue was full as well, and drops SYNs, too");
  // A reject or a router's ICMP ends a connect too, and only the client's own word tells.
  if (!one.complaint->deed && !one.acts_known(Who::client))
    result.doubts.push_back("how the client's connect ended was not seen");
  result.culprit.detail += result.culprit.detail.empty() ? "no answer" : "";
  result.summary = fmt::format(
      "{} to {} got no answer{}; {}",
      client.syns || one.wire_complete ? plural(std::max(client.syns, 1U), "SYN") : std::string("The SYN"),
      to_string(one.conn.server),
      hits ? fmt::format(": {} ate {}", rule_label(*hits), hits->from == Who::client ? "it" : "the answer") : "",
      outcome_text(one));
  return result;
}

std::string no_no_answer(const Case& one) {
  if (!one.unconnected() || !refused_on_wire(one)) return {};
  return "the SYN was answered with a reset";
}

}  // namespace lab::verdict::connect
