// The receive buffer is too small for what comes.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "verdict/limits.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::limits {
namespace {

bool buffer_reason(const std::string& reason) {
  return reason == "SOCKET_RCVBUFF" || reason == "TCP_ZEROWINDOW" || reason == "TCP_RCVQ" ||
         reason == "SOCKET_BACKLOG" || reason == "PROTO_MEM" || reason == "RCVQ_FULL";
}

// More to send than the window holds, and nothing under way: it waits for the window to open.
bool in_dribs(const evidence::SocketState& sending) {
  return sending.timer == "probe" && sending.not_sent > sending.send_window && sending.send_window > 0 &&
         sending.unacked == 0;
}

// A look while the victim waited already met its queue empty and the sender held up: bytes that a later one meets came
// a moment before, and explain nothing of the wait.
constexpr std::int64_t kOneLook = 2'000'000;  // at both ends, in whatever namespaces they are
bool was_drained(const Case& one, Who receiver) {
  const auto &mine = one.conn.before[receiver], &sending = one.conn.before[other(receiver)];
  const auto& waits = one.complaint->deed;
  if (!mine || !sending || !waits || std::abs(mine->at.t - sending->at.t) > kOneLook) return false;
  const bool meanwhile = mine->at.t > waits->start && mine->at.t <= one.complaint->at.t;
  return meanwhile && mine->state.receive_queue == 0 && in_dribs(sending->state);
}

bool acks_eaten_since(const Case& one, Who receiver) {
  const auto& shut = one.conn.stream[receiver].zero_window;
  return std::any_of(one.conn.hits.begin(), one.conn.hits.end(), [&](const Hits& hits) {
    return hits.from == receiver && hits.pure_ack && hits.last.t >= shut.t && hits.first.t <= one.until();
  });
}

}  // namespace

std::optional<Finding> find_receive_buffer(const Case& one) {
  if (!one.starved()) return std::nullopt;
  for (const Who receiver : {other(one.victim()), one.victim()}) {
    const auto& conn = one.conn;
    const Who sender = other(receiver);
    const bool shut = one.shut(receiver);
    // What a rule eats on its way out looks the same: TCP takes that for a full queue and tries again
    // (tcp_send_probe0, net/ipv4/tcp_output.c).
    const auto& sending = conn.socket[sender];
    const bool slit = open_hits(one, true).empty() && sending && in_dribs(sending->state);
    const bool narrow = shut || slit;
    const bool lacking =
        one.gap(sender).any || narrow || one.complaint->then[sender].written > one.complaint->then[sender].delivered;
    if (!lacking) continue;
    const auto& seen = conn.socket[receiver];
    const bool drained =
        (seen && seen->state.receive_queue == 0) ||
        (one.acts_known(receiver) && one.complaint->then[sender].read >= one.complaint->then[sender].delivered);
    const bool reached = !drained && one.just_reached(receiver);
    if (!drained && !reached) continue;
    const bool unsure = reached && !was_drained(one, receiver);
    const Hits* told_by = nullptr;
    for (const auto* hits : open_hits(one, false))
      if (buffer_reason(hits->reason) && hits->from == sender) told_by = hits;
    std::string_view counter;
    for (const auto* name : {"TcpExtTCPRcvQDrop", "TcpExtTCPZeroWindowDrop", "TcpExtTCPToZeroWindowAdv",
                             "TcpExtTCPWantZeroWindowAdv", "TcpExtTCPRcvCollapsed", "TcpExtRcvPruned"})
      if (counter.empty() && one.facts.counter(name) > 0) counter = name;
    if (!told_by && counter.empty() && !narrow) continue;
    if (!told_by && !narrow && !open_hits(one, true).empty()) continue;
    const auto since = conn.handshake_at ? conn.handshake_at.t : conn.began.t;
    auto result = finding(one, "limits/receive-buffer", unsure ? conn.stream[sender].fresh.t : since);
    result.by = by_text(one, receiver);
    if (told_by)
      result.mechanism.push_back(
          record("kernel",
                 fmt::format("{} of the {} dropped at the receiver: {}", plural(told_by->count, "segment"),
                             name_of(sender), told_by->reason),
                 told_by->first));
    if (!counter.empty())
      result.mechanism.push_back(record("counters", fmt::format("{} moved by {}", counter, one.facts.counter(counter)),
                                        one.facts.counter_mark(counter)));
    if (slit)
      result.mechanism.push_back(
          record("sockets",
                 fmt::format("the {} has {} to send and a window of {}", name_of(sender),
                             plural(sending->state.not_sent, "byte"), sending->state.send_window),
                 sending->at));
    if (shut)
      result.mechanism.push_back(
          record("wire", fmt::format("the {} advertises a window of 0 although its program reads", name_of(receiver)),
                 conn.stream[receiver].zero_window));
    if (unsure)
      result.doubts.push_back(fmt::format("the {} was inside a read with {} in its queue", name_of(receiver),
                                          plural(seen->state.receive_queue, "byte")));
    if (shut && acks_eaten_since(one, receiver))
      result.doubts.push_back("what told that there was room again may have been eaten");
    if (!told_by && !narrow) result.doubts.push_back("the counter does not say which connection it was");
    result.culprit = {.kind = "limit", .name = "receive buffer", .detail = seen ? seen->state.options : std::string()};
    result.summary =
        fmt::format("The {}'s receive buffer is too small to take what the {} sends, though its program reads; {}",
                    name_of(receiver), name_of(sender), outcome_text(one));
    return result;
  }
  return std::nullopt;
}

std::string no_receive_buffer(const Case& one) {
  if (!one.starved() || !one.wire_complete || !one.conn.wire) return {};
  for (const Who who : {Who::client, Who::server})
    if (one.conn.stream[who].zero_window) return {};
  return fmt::format("neither end shut its window (last: {} and {})", one.conn.stream.client.window,
                     one.conn.stream.server.window);
}

}  // namespace lab::verdict::limits
