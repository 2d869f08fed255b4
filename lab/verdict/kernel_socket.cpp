// The kernel took a socket away: destroyed by an administrator, or expired.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/kernel.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::kernel {
namespace {

using What = Complaint::What;

std::optional<std::int64_t> fin_timeout(const Facts& facts) {
  std::optional<std::int64_t> seconds;
  for (const auto& f : facts.facts) {
    const auto text = f.fact.object + "=" + f.fact.value;
    if (const auto at = text.find("tcp_fin_timeout="); at != std::string::npos)
      seconds = std::atoll(text.c_str() + at + 16);
  }
  for (const auto& c : facts.changes)
    if (c.change.kind == "sysctl" && c.change.object.find("tcp_fin_timeout") != std::string::npos)
      seconds = std::atoll(c.change.detail.c_str());
  return seconds;
}

}  // namespace

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
  if (aborted)
    result.mechanism.push_back(record(aborted->deed->step ? "actors" : "syscalls",
                                      deed_text(nullptr, who, *aborted->deed), aborted->deed->mark));
  result.culprit = {.kind = "socket",
                    .name = name_of(who),
                    .pid = change ? change->change.pid : 0,
                    .detail = "destroyed from outside"};
  result.summary =
      fmt::format("The {}'s socket was destroyed by an administrator's request; {}", name_of(who), outcome_text(one));
  return result;
}

// close() with bytes unread takes the socket out of the kernel's tables first and sends its reset then (tcp_close): a
// segment that arrives in between is answered as if nobody were there.
bool aborts_itself(const Case& one, Who who, std::int64_t t) {
  const auto& built = one.conn.built[who];
  const bool told = std::any_of(built.begin(), built.end(), [](const KernelReset& reset) {
    return reset.reason.starts_with("TCP_ABORT_ON_CLOSE") || reset.reason.starts_with("TCP_ABORT_ON_LINGER");
  });
  const auto& closers = one.conn.acts[who].closers;
  return told || std::any_of(closers.begin(), closers.end(), [&](const Deed& deed) {
           return deed.kind == Kind::close && deed.start <= t && t <= deed.end;
         });
}

std::optional<Finding> find_expired(const Case& one) {
  const auto& conn = one.conn;
  if (!one.gone() || one.complaint->what == What::eof || one.closing.foreign()) return std::nullopt;
  const Who victim = one.victim(), who = other(victim);
  const auto& stream = conn.stream[who];
  if (!stream.rst || stream.rst_acks) return std::nullopt;  // a socket that is gone answers, it does not abort
  if (aborts_itself(one, who, stream.rst.t)) return std::nullopt;
  // What went out without its translation met another address, where there never was a socket of the connection.
  if (conn.untranslated && conn.untranslated.t <= stream.rst.t) return std::nullopt;
  const KernelReset* built = nullptr;
  for (const auto& reset : conn.built[who])
    if ((reset.reason == "NO_SOCKET" || reset.reason == "TCP_FLAGS") &&
        (reset.state.empty() || reset.state == "LISTEN" || reset.state == "CLOSE"))
      built = &reset;
  const bool accepted = who == Who::client || !one.unaccepted().value_or(false);
  const auto& gone = conn.gone[who];
  const bool vanished = gone && gone->at.t < stream.rst.t && !stream.fin;
  const auto timeout = fin_timeout(one.facts).value_or(60) * 1'000'000'000;
  const bool fin_expired = stream.fin && stream.rst.t - stream.fin.t > timeout;
  if (!accepted || (!built && !vanished && !fin_expired)) return std::nullopt;
  if (stream.fin && !fin_expired && !built) return std::nullopt;
  auto result = finding(one, "kernel/socket-expired", gone && gone->at.t < stream.rst.t ? gone->at.t : stream.rst.t);
  result.by = by_text(one, who);
  if (built)
    result.mechanism.push_back(
        record("kernel", fmt::format("the reset's reason is {}: no socket of the connection was left", built->reason),
               built->at));
  if (vanished)
    result.mechanism.push_back(record("sockets",
                                      fmt::format("the {}'s socket was freed {} before the reset, without a FIN",
                                                  name_of(who), span_text(stream.rst.t - gone->at.t)),
                                      gone->at));
  if (fin_expired)
    result.mechanism.push_back(
        record("wire",
               fmt::format("the reset came {} after the {}'s FIN, FIN_WAIT2 lasts {}",
                           span_text(stream.rst.t - stream.fin.t), name_of(who), span_text(timeout)),
               stream.fin));
  if (conn.translated && !vanished)
    result.doubts.push_back(
        "addresses were translated: a segment that lost its translation is answered in the same way");
  result.culprit = {
      .kind = "socket", .name = name_of(who), .detail = stream.fin ? "FIN_WAIT2 expired" : "freed without a FIN"};
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
