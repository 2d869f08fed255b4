// An end closed the connection while it lived: with a FIN, with bytes unread, or by asking for a reset.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/application.hpp"
#include "verdict/bearing.hpp"
#include "verdict/names.hpp"
#include "verdict/tls.hpp"

namespace lab::verdict::application {
namespace {

using What = Complaint::What;
using How = Closer::How;

// How far the conversation had come when `who` closed.
std::string stage_text(const Case& one, Who who) {
  const auto& mine = one.conn.acts[who];
  const auto& own = one.conn.stream[who];
  const auto& theirs = one.conn.stream[other(who)];
  std::string text = "before it had read anything";
  if (own.bytes > 0 && own.first_data.t <= one.closing.at.t)
    text = fmt::format("after a reply of {}", plural(own.bytes, "byte"));
  else if (mine.read > 0)
    text = fmt::format("after reading {} of {}", mine.read, plural(std::max(theirs.bytes, mine.read), "byte"));
  else if (!one.acts_known(who))
    text =
        theirs.bytes ? fmt::format("after {} had come in", plural(theirs.bytes, "byte")) : "before anything was said";
  const bool tls = theirs.head.starts_with("1603");
  if (alerted(one.conn, who, one.closing.at.t))
    text += ", with a fatal TLS alert";
  else if (tls)
    text += own.head.starts_with("1603") ? ", both speaking TLS"
            : own.head.empty()           ? "; the other end spoke TLS"
                                         : "; the other end spoke TLS and was answered in plain text";
  return text;
}

// An event loop's timer is in no call of the connection's own: a client that was owed an answer when it closed may have
// waited for it long enough.
bool may_have_waited(const Case& one, Who who, const Closer& closer) {
  const auto& asked = one.conn.stream.client.last_data;
  const auto& answered = one.conn.stream.server.last_data;
  const bool owed = asked && (!answered || answered.t < asked.t);
  return who == Who::client && closer.deed && !closer.deed->step && owed && one.closing.any &&
         one.closing.at.t - asked.t > kThinks;
}

// Whoever sends a fatal alert ends the session; the other end has to close (RFC 8446, 6.2).
void tell_alert(const Case& one, Who from, Finding& result) {
  if (!broke_off(one.conn, from, one.closing.at.t)) return;
  result.by = by_text(one, from);
  result.culprit = {.kind = "peer", .name = name_of(from)};
  result.mechanism.push_back(
      record("wire", fmt::format("a fatal TLS alert from the {}", name_of(from)), one.conn.stream[from].alert));
  result.summary = fmt::format("The {} broke the TLS session off with a fatal alert, and the {} closed; {}",
                               name_of(from), name_of(other(from)), outcome_text(one));
}

bool reset_first(const Case& one) { return one.closing.any && !one.closing.fin; }

}  // namespace

Record exit_record(const Process& process) {
  const auto text = process.signal
                        ? fmt::format("{} was killed by {}", process_text(&process), signal_title(process.signal))
                        : fmt::format("{} exited with status {}", process_text(&process), process.status);
  const char* told_by = !process.exit_begun ? "actors" : process.signal ? "signals" : "syscalls";
  return record(told_by, text, process.exited);
}

// The closing segment is this end's own, or was not watched.
bool closed_by_an_end(const Case& one) { return one.gone() && !one.closing.foreign(); }

std::optional<Finding> chosen(const Case& one, std::string_view name, Who who, const Closer& closer) {
  auto result = finding(one, name, one.closing.any ? one.closing.at.t : one.until());
  result.chosen = true;
  result.by = by_text(one, who);
  result.doubts = closing_doubts(one, who, closer);
  if (may_have_waited(one, who, closer))
    result.doubts.push_back(fmt::format("the server had not answered for {} then: the client may have waited for it",
                                        span_text(one.closing.at.t - one.conn.stream.client.last_data.t)));
  if (closer.deed) {
    result.mechanism.push_back(deed_record(who, *closer.deed));
    result.culprit = {.kind = "call", .name = closer.deed->call, .pid = closer.deed->pid, .detail = closer.deed->shown};
  } else if (closer.process) {
    result.culprit = process_culprit(closer.process, {});
  } else {
    result.culprit = {.kind = "peer", .name = name_of(who)};
  }
  return result;
}

std::optional<Finding> find_closed(const Case& one) {
  if (!closed_by_an_end(one) || reset_first(one)) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (closer.how == How::signalled || (closer.how == How::exited && closer.sure)) return std::nullopt;
  if (closer.how == How::reset && !(one.closing.fin && one.complaint->what == What::eof)) return std::nullopt;
  if (one.complaint->what != What::eof && !one.closing.any && !closer.deed) return std::nullopt;
  auto result = chosen(one, "application/closed", who, closer);
  result->summary =
      fmt::format("The {} closed the connection {}; {}", name_of(who), stage_text(one, who), outcome_text(one));
  if (one.closing.any) tell_alert(one, other(who), *result);
  if (!one.closing.any && one.conn.mptcp()) result->summary += " (MPTCP: the data stream was closed without a FIN)";
  // A reset long after the FIN may be that of a socket that had expired meanwhile.
  const auto& stream = one.conn.stream[who];
  if (one.complaint->what != What::eof && stream.fin && stream.rst && stream.rst.t - stream.fin.t > 500'000'000 &&
      !one.facts.complete("kernel"))
    result->doubts.push_back("whether FIN_WAIT2 had run out before the reset is not known (kernel: off)");
  const bool answered = one.complaint->what == What::cut && one.victim() == who &&
                        std::any_of(one.conn.hits.begin(), one.conn.hits.end(), [&](const Hits& h) {
                          return h.rule && h.action == "reject" && h.from == who && h.fin;
                        });
  if (answered) result->doubts.push_back("a rule rejected its FIN: the other end was never told");
  if (closer.how == How::exec) result->summary += " (closed by an exec)";
  return result;
}

std::optional<Finding> find_closed_unread(const Case& one) {
  if (!closed_by_an_end(one) || !reset_first(one)) return std::nullopt;
  const Who who = one.doer();
  if (who == Who::server && one.unaccepted().value_or(false)) return std::nullopt;
  const auto closer = one.closer(who);
  if (closer.how == How::reset || closer.how == How::signalled || (closer.how == How::exited && closer.sure))
    return std::nullopt;
  const auto& built = one.conn.built[who];
  const auto told =
      std::find_if(built.begin(), built.end(), [](const KernelReset& r) { return r.reason == "TCP_ABORT_ON_CLOSE"; });
  // Its own reset acknowledges; one without may have overtaken it, for a segment that met a socket on its way out.
  const bool counted = closer.deed && closer.unread.value_or(0) > 0 && one.facts.counter("TcpExtTCPAbortOnClose") > 0;
  if (!one.conn.stream[who].rst_acks && told == built.end() && !counted) return std::nullopt;
  auto result = chosen(one, "application/closed-unread", who, closer);
  result->mechanism.clear();
  if (told != built.end())
    result->mechanism.push_back(record("kernel", "the reset's reason is TCP_ABORT_ON_CLOSE", told->at));
  if (closer.unread && *closer.unread > 0 && closer.deed) {
    auto r = deed_record(who, *closer.deed);
    r.text +=
        fmt::format(", with {} of {} unread", *closer.unread, plural(one.conn.stream[other(who)].delivered, "byte"));
    result->mechanism.push_back(std::move(r));
  }
  if (const auto n = one.facts.counter("TcpExtTCPAbortOnClose"); n > 0)
    result->mechanism.push_back(record("counters", fmt::format("TcpExtTCPAbortOnClose moved by {}", n),
                                       one.facts.counter_mark("TcpExtTCPAbortOnClose")));
  if (result->mechanism.empty()) return std::nullopt;
  if (closer.unread == 0 && told == built.end())
    result->doubts.push_back(fmt::format("the {} had read all {} that reached it", name_of(who),
                                         plural(one.conn.stream[other(who)].delivered, "byte")));
  const auto unread = closer.unread && *closer.unread ? plural(*closer.unread, "byte") : std::string("bytes");
  const char* behind = alerted(one.conn, who, one.closing.at.t) ? " after a fatal TLS alert" : "";
  result->summary = fmt::format("The {} closed{} with {} unread, so its kernel sent a reset; {}", name_of(who), behind,
                                unread, outcome_text(one));
  return result;
}

std::optional<Finding> find_reset(const Case& one) {
  if (!closed_by_an_end(one)) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  const bool asked = closer.how == How::reset && closer.deed;
  // Without its calls: data thrown away by a reset of the socket's own that no FIN came before
  // (tcp_close() with SO_LINGER 0, net/ipv4/tcp.c, counts TCPAbortOnData).
  const bool counted = !closer.sure && reset_first(one) && one.conn.stream[who].rst_acks &&
                       one.facts.counter("TcpExtTCPAbortOnData") > 0 && one.facts.counter("TcpExtTCPAbortOnClose") == 0;
  if (!asked && !counted) return std::nullopt;
  // Its own shutdown may have sent a FIN before: a peer that met no end of file was cut off by what followed.
  const auto& stream = one.conn.stream[who];
  const bool behind_fin = asked && stream.fin && stream.rst && stream.rst_acks && one.complaint->what != What::eof;
  if (one.closing.any && !reset_first(one) && !behind_fin) return std::nullopt;
  auto result = chosen(one, "application/reset", who, closer);
  if (counted)
    result->mechanism.push_back(record("counters", "TcpExtTCPAbortOnData moved, no FIN went before the reset",
                                       one.facts.counter_mark("TcpExtTCPAbortOnData")));
  result->summary =
      fmt::format("The {} asked for a reset (SO_LINGER 0 or a disconnect); {}", name_of(who), outcome_text(one));
  return result;
}

std::string no_closed(const Case& one) {
  if (!one.wire_complete || !one.conn.wire || one.closing.any) return {};
  return "no FIN and no reset from either end reached the wire before the end";
}

std::string no_closed_unread(const Case& one) {
  if (one.closing.any && one.closing.fin) return "the first closing segment is a FIN; unread bytes make a reset";
  if (!one.closing.any || !one.facts.complete("counters") || one.facts.counter("TcpExtTCPAbortOnClose") > 0) return {};
  return "TcpExtTCPAbortOnClose moved by 0";
}
std::string no_reset(const Case& one) {
  if (one.closing.any && one.closing.fin) return "the first closing segment is a FIN";
  if (one.closing.any && one.acts_known(one.closing.from) && !one.conn.acts[one.closing.from].asked_reset)
    return fmt::format("the {} neither left SO_LINGER at 0 nor disconnected", name_of(one.closing.from));
  return {};
}

}  // namespace lab::verdict::application
