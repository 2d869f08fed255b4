// A reset in answer for a socket that was no more: it had expired without a word.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "verdict/case.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

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

// close() with bytes unread takes the socket out of the kernel's tables first and sends its reset then (tcp_close): a
// segment that arrives in between is answered as if nobody were there. So is what follows data that made a closed
// socket abort.
bool aborts_itself(const Case& one, Who who, std::int64_t t) {
  const auto& built = one.conn.built[who];
  const bool told = std::any_of(built.begin(), built.end(), [](const KernelReset& reset) {
    return reset.reason.starts_with("TCP_ABORT_ON_CLOSE") || reset.reason.starts_with("TCP_ABORT_ON_LINGER") ||
           reset.reason.starts_with("TCP_ABORT_ON_DATA");
  });
  const auto& closers = one.conn.acts[who].closers;
  return told || std::any_of(closers.begin(), closers.end(), [&](const Deed& deed) {
           return deed.kind == Kind::close && deed.start <= t && t <= deed.end;
         });
}

// The kernel's own word.
const KernelReset* built_for_nobody(const Conn& conn, Who who) {
  const KernelReset* found = nullptr;
  for (const auto& reset : conn.built[who])
    if ((reset.reason == "NO_SOCKET" || reset.reason == "TCP_FLAGS") &&
        (reset.state.empty() || reset.state == "LISTEN" || reset.state == "CLOSE"))
      found = &reset;
  return found;
}

// FIN_WAIT2 had run out: by the socket's own timer where it was seen, else by the time since the FIN where
// tcp_fin_timeout is known.
std::optional<Record> ran_out(const Case& one, Who who, std::int64_t t) {
  const auto& stream = one.conn.stream[who];
  if (!stream.fin) return std::nullopt;
  constexpr std::int64_t ms = 1'000'000, late = 50 * ms;  // the kernel's wheel of timers is coarse
  const auto& seen = one.conn.socket[who];
  if (seen && seen->state.state == "FIN_WAIT2" && seen->state.timer == "timewait") {
    const auto left = static_cast<std::int64_t>(seen->state.timer_ms) * ms;
    if (t <= seen->at.t + left + late) return std::nullopt;
    return record("sockets",
                  fmt::format("the {}'s socket was in FIN_WAIT2 with {} left, {} before the reset", name_of(who),
                              span_text(left), span_text(t - seen->at.t)),
                  seen->at);
  }
  const auto seconds = fin_timeout(one.facts);
  const auto timeout = seconds.value_or(0) * 1000 * ms;
  if (!seconds || t - stream.fin.t <= timeout) return std::nullopt;
  return record("wire",
                fmt::format("the reset came {} after the {}'s FIN, FIN_WAIT2 lasts {}", span_text(t - stream.fin.t),
                            name_of(who), span_text(timeout)),
                stream.fin);
}

bool fin_unanswered(const Stream& stream) {
  return stream.fin && (!stream.answered || behind(stream.acked, stream.fin_seq + 1));
}

// Closed by its program, a socket goes on alone to deliver its FIN, and is given up after tcp_orphan_retries
// repetitions. One that was still there would have answered data with an abort, which is counted (TCPAbortOnData).
std::optional<Record> given_up(const Case& one, Who who) {
  const auto& gone = one.conn.gone[who];
  if (!gone || !gone->state.retransmits || !fin_unanswered(one.conn.stream[who])) return std::nullopt;
  const auto& facts = one.facts;
  const bool counted = facts.counter("TcpExtTCPAbortOnTimeout") > 0 && facts.counter("TcpExtTCPAbortOnData") == 0;
  if (!facts.complete("counters") || !counted) return std::nullopt;
  return record("sockets",
                fmt::format("the {}'s socket, closed by its program, was given up after {} of its FIN", name_of(who),
                            plural(gone->state.retransmits, "repetition")),
                gone->at);
}

}  // namespace

bool answers_for_nobody(const Case& one, Closing& closing) {
  const auto& conn = one.conn;
  const Who who = closing.from;
  const auto& stream = conn.stream[who];
  if (stream.rst_acks) return false;  // a socket that is gone answers, it does not abort
  if (aborts_itself(one, who, closing.at.t)) return false;
  // What went out without its translation met another address, where there never was a socket of the connection.
  if (conn.untranslated && conn.untranslated.t <= closing.at.t) return false;
  if (who == Who::server && one.unaccepted().value_or(false)) return false;
  std::vector<Record> why;
  if (const auto* built = built_for_nobody(conn, who))
    why.push_back(record("kernel",
                         fmt::format("the reset's reason is {}: no socket of the connection was left", built->reason),
                         built->at));
  if (const auto& gone = conn.gone[who]; gone && gone->at.t < closing.at.t && !stream.fin)
    why.push_back(record("sockets",
                         fmt::format("the {}'s socket was freed {} before the reset, without a FIN", name_of(who),
                                     span_text(closing.at.t - gone->at.t)),
                         gone->at));
  if (auto spent = ran_out(one, who, closing.at.t)) why.push_back(std::move(*spent));
  if (auto alone = given_up(one, who)) why.push_back(std::move(*alone));
  if (why.empty()) return false;
  closing.no_socket = true;
  closing.why = std::move(why);
  return true;
}

}  // namespace lab::verdict
