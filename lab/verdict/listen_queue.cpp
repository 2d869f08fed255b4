// The listen queue was full: when the SYN came, or when the handshake's last ACK did.
#include <fmt/format.h>

#include "verdict/connect.hpp"
#include "verdict/limits.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

// The kernel's own word on it.
const Hits* overflow(const Case& one) {
  const Hits* found = nullptr;
  for (const auto& hits : one.conn.hits)
    if (!hits.rule && hits.reason.find("LISTEN_OVERFLOW") != std::string::npos) found = &hits;
  return found;
}

// Everything that speaks of the queue; `what` it dropped.
void blame_queue(const Case& one, std::string_view what, Finding& result) {
  if (const auto* word = overflow(one))
    result.mechanism.push_back(record("kernel", fmt::format("{} dropped: {}", plural(word->count, what), word->reason),
                                      word->first, word->last));
  if (const auto counted = one.facts.counter("TcpExtListenOverflows"); counted > 0)
    result.mechanism.push_back(record("counters", fmt::format("TcpExtListenOverflows moved by {}", counted),
                                      one.facts.counter_mark("TcpExtListenOverflows")));
  const auto* queue = one.listener();
  if (!queue) return;
  const auto held = fmt::format("{} of {}", queue->most_waiting, queue->limit);
  result.mechanism.push_back(record("sockets", "the listener's queue held " + held, queue->last_seen));
  result.culprit = {.kind = "limit", .name = "accept queue", .detail = held};
}

}  // namespace

bool connect::overflowed(const Case& one) {
  const auto* queue = one.listener();
  return one.facts.counter("TcpExtListenOverflows") > 0 &&
         (!queue || queue->most_waiting > queue->limit || one.facts.conns.size() > 1);
}

std::optional<Finding> connect::find_queue_full(const Case& one) {
  if (!one.unconnected() || refused_on_wire(one)) return std::nullopt;
  const auto* word = overflow(one);
  std::uint64_t ruled = 0;
  for (const auto& hits : one.conn.hits)
    if (hits.rule && hits.open_first) ruled += hits.count;
  if (ruled && !(word && ruled < one.conn.stream.client.syns)) return std::nullopt;
  if (!word && !overflowed(one)) return std::nullopt;
  if (one.wire_complete && one.conn.wire && one.conn.stream.client.syns == 0) return std::nullopt;
  if (one.conn.stream.server.syns) return std::nullopt;
  auto result = start(one, "connect/queue-full");
  result.by = "server";
  blame_queue(one, "SYN", result);
  const auto* queue = one.listener();
  if (ruled) result.doubts.push_back("a rule ate SYNs of it, too");
  if (!one.conn.stream.client.syns && !word) result.doubts.push_back("no SYN of this connection was seen");
  if (!word && !(queue && queue->most_waiting > queue->limit))
    result.doubts.push_back("the counter does not say whose SYN it was, and the queue was not seen full");
  result.summary = fmt::format("The listen queue of {} was full, so the kernel dropped the SYN; {}",
                               to_string(one.conn.server), outcome_text(one));
  return result;
}

std::optional<Finding> limits::find_accept_queue(const Case& one) {
  if (!one.complaint || one.unconnected() || one.victim() != Who::client) return std::nullopt;
  const auto by_then = [&](const Mark& mark) { return mark && mark.t <= one.until(); };
  // The next repetition that finds room opens it, for a client that may have given up meanwhile.
  const auto opened = one.opened_at();
  if (by_then(one.conn.acts.server.accepted) || (opened && *opened <= one.until())) return std::nullopt;
  const auto& server = one.conn.socket.server;
  const bool never_open = opened || !server || server->state.state == "SYN_RECV";
  const auto* told_by = overflow(one);
  const auto counted = one.facts.counter("TcpExtListenOverflows");
  if (!told_by && (counted <= 0 || !never_open)) return std::nullopt;
  if (one.gone() && (one.closing.fin || one.conn.stream.server.rst_acks)) return std::nullopt;
  if (one.starved() && !one.gap(Who::client).any && !told_by) return std::nullopt;
  auto result = finding(one, "limits/accept-queue", one.conn.handshake_at ? one.conn.handshake_at.t : one.conn.began.t);
  result.by = "server";
  blame_queue(one, "segment", result);
  if (!told_by && one.facts.conns.size() > 1 && !one.conn.stream.client.repeats)
    result.doubts.push_back("the counter does not say which connection overflowed");
  if (!told_by && opened && !one.conn.opening.exact)
    result.doubts.push_back("the server's end was open when it was next looked at");
  result.summary = fmt::format(
      "The listen queue was full when the handshake's last ACK came, so the server never opened the connection that "
      "the client holds; {}",
      outcome_text(one));
  return result;
}

std::string connect::no_queue_full(const Case& one) {
  if (!one.unconnected() || !one.facts.complete("counters") || one.facts.counter("TcpExtListenOverflows") > 0)
    return {};
  return "TcpExtListenOverflows moved by 0";
}

std::string limits::no_accept_queue(const Case& one) {
  if (!one.facts.complete("counters") || one.facts.counter("TcpExtListenOverflows") > 0) return {};
  return "TcpExtListenOverflows moved by 0";
}

}  // namespace lab::verdict
