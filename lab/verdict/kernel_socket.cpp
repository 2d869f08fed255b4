// The kernel took a socket away: destroyed by an administrator, or expired.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/kernel.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::kernel {
std::optional<Finding> find_destroyed(const Case& one) {
  if (!one.complaint || one.unconnected()) return std::nullopt;
  const auto& conn = one.conn;
  // Only diag_destroy gives a socket ECONNABORTED (tcp_abort, net/ipv4/tcp.c).
  const Complaint* aborted = nullptr;
  for (const auto& c : conn.complaints)
    if (c.deed && c.deed->error == ECONNABORTED && !aborted) aborted = &c;
  const KernelReset* built = nullptr;
  Who who = one.closing.any ? one.closing.from : one.victim();
  for (const Who end : {Who::client, Who::server})
    for (const auto& reset : conn.built[end])
      if (reset.reason == "TCP_STATE" && reset.state == "ESTABLISHED" && !built) {
        built = &reset;
        who = end;
      }
  if (aborted) who = aborted->victim;
  const ChangeFacts* change = nullptr;
  for (const auto& c : one.facts.changes) {
    if (c.change.kind != "socket-destroyed" || c.at.t < conn.began.t) continue;
    const auto text = c.change.object + " " + c.change.detail;
    if (text.find(to_string(conn.client)) != std::string::npos ||
        text.find(to_string(conn.server)) != std::string::npos)
      change = &c;
  }
  if (!aborted && !built && !change) return std::nullopt;
  if (!one.gone() && !(one.starved() && change)) return std::nullopt;
  if (one.closing.any && one.closing.fin) return std::nullopt;
  auto result = finding(one, "kernel/socket-destroyed",
                        change            ? change->at.t
                        : one.closing.any ? one.closing.at.t
                                          : one.until());
  if (change)
    result.mechanism.push_back(
        record("changes", fmt::format("socket-destroyed {}", change->change.object), change->at));
  if (built)
    result.mechanism.push_back(
        record("kernel", "its TCP built a reset for the reason TCP_STATE while ESTABLISHED", built->at));
  if (aborted) result.mechanism.push_back(deed_record(who, *aborted->deed));
  result.culprit = {.kind = "socket",
                    .name = name_of(who),
                    .pid = change ? change->change.pid : 0,
                    .detail = "destroyed from outside"};
  result.summary =
      fmt::format("The {}'s socket was destroyed by an administrator's request; {}", name_of(who), outcome_text(one));
  return result;
}

std::optional<Finding> find_expired(const Case& one) {
  if (!one.closing.no_socket) return std::nullopt;
  const auto& conn = one.conn;
  const Who who = one.closing.from;
  const auto& gone = conn.gone[who];
  const bool freed = gone && gone->at.t < one.closing.at.t;
  auto result = finding(one, "kernel/socket-expired", freed ? gone->at.t : one.closing.at.t);
  result.by = by_text(one, who);
  result.mechanism = one.closing.why;
  if (conn.translated && !(freed && !conn.stream[who].fin))
    result.doubts.push_back(
        "addresses were translated: a segment that lost its translation is answered in the same way");
  result.culprit = {.kind = "socket",
                    .name = name_of(who),
                    .detail = conn.stream[who].fin ? "FIN_WAIT2 expired" : "freed without a FIN"};
  result.summary =
      fmt::format("The {}'s socket had vanished without a word, and the next segment was answered with a reset; {}",
                  name_of(who), outcome_text(one));
  return result;
}

std::string no_destroyed(const Case& one) {
  if (!one.closing.any || one.closing.fin || one.conn.built[one.closing.from].empty()) return {};
  const auto& built = one.conn.built[one.closing.from].front();
  if (built.reason == "TCP_STATE" && built.state == "ESTABLISHED") return {};
  return fmt::format("the reset's reason is {} in state {}", built.reason, built.state);
}

}  // namespace lab::verdict::kernel
