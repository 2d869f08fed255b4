// An end's program left the other alone: stopped, not accepting, not reading, not answering.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/application.hpp"
#include "verdict/limits.hpp"
#include "verdict/names.hpp"
#include "verdict/unread.hpp"

namespace lab::verdict::application {
namespace {

// What each end still lacked when the victim gave up, for the three ways of being left alone.
struct Standstill {
  Who victim, doer;
  bool lost = false;      // something did not get across: not the program's doing
  bool given_up = false;  // by TCP, not by the program
  bool crossed = false;   // it is known that everything got across
  std::optional<bool> unaccepted;
  std::optional<bool> unread;  // bytes for the doer that it has not read
  std::uint64_t delivered = 0, read = 0;
  std::optional<Deed> inside;  // the read that the doer was in
};

std::uint32_t waiting_in(const evidence::SocketState& s) { return unread_in(s.state, s.receive_queue); }

// A read that goes on until the end of file tells when its last bytes came, and at its end how many they were.
bool had_all(const Case& one, const Standstill& s) {
  const auto& in = *s.inside;
  return in.got && in.got <= one.complaint->at.t && in.bytes > 0 && !in.pending &&
         s.read + static_cast<std::uint64_t>(in.bytes) >= s.delivered;
}

std::optional<Standstill> standstill(const Case& one) {
  if (!one.starved()) return std::nullopt;
  const Who victim = one.victim(), doer = other(victim);
  if (one.doer() == victim) return std::nullopt;
  Standstill s{.victim = victim, .doer = doer};
  const auto& then = one.complaint->then;
  // TCP itself gave up: segments were lost, whatever the programs did. A shut window is the exception.
  s.given_up = one.complaint->deed && one.complaint->deed->error != 0;
  s.lost = one.gap(victim).any || one.gap(doer).any || !open_hits(one, true).empty();
  s.delivered = one.conn.wire ? then[victim].delivered : then[victim].written;
  s.read = then[victim].read;
  s.unaccepted = doer == Who::server ? one.unaccepted() : std::optional(false);
  const auto& seen = one.conn.socket[doer];
  if (one.acts_known(doer) && (one.conn.wire || one.acts_known(victim)))
    s.unread = s.delivered > s.read;
  else if (seen && seen->state.state != "TIME_WAIT")
    s.unread = waiting_in(seen->state) > 0;
  s.inside = one.reading();
  // A step that reads until it has enough takes what comes, and tells only at its end how much that was; the socket's
  // queue says whether it did (a thread that was killed in its read takes nothing).
  if (s.inside && (s.inside->exact || s.inside->to_eof) && s.unread == std::optional(true)) {
    const bool told = seen && seen->at.t > one.conn.stream[victim].last_data.t && seen->state.state != "TIME_WAIT";
    s.unread = had_all(one, s) ? std::optional(false)
               : told          ? std::optional(waiting_in(seen->state) > 0)
                               : std::nullopt;
    if (s.unread == std::optional(false)) s.read = s.delivered;
  }
  if (s.unread == std::optional(true) && one.just_reached(doer)) s.unread = std::nullopt;
  // Where the calls and the queue contradict each other the queue is right: bytes are also read by calls that no tracer
  // knows (io_uring, 32 bit) or that do not say how many (recvmmsg), and looked at without being read (MSG_PEEK).
  if (seen && s.unread && !s.inside && seen->at.t > one.conn.stream[victim].last_data.t &&
      seen->state.state != "TIME_WAIT") {
    const auto queued = waiting_in(seen->state);
    const auto total = one.conn.acts[doer].read;  // until the end, as the queue
    if (*s.unread && total < s.delivered && !queued) {
      s.unread = false;
      s.read = s.delivered;
    } else if (!*s.unread && total >= s.delivered && queued) {
      s.unread = true;
      s.read = s.delivered - std::min<std::uint64_t>(queued, s.delivered);
    }
  }
  // Written and read agree in both directions: nothing can have been lost.
  const bool settled = one.acts_known(doer) && one.acts_known(victim) && then[victim].written == then[victim].read &&
                       then[doer].written == then[doer].read;
  s.crossed = (one.wire_complete && one.conn.wire) || settled;
  return s;
}

// A poll that does not tell what for, by an end that had asked nothing or went on without an answer.
bool awaited_something_else(const Case& one) {
  const auto& c = *one.complaint;
  return c.deed && c.deed->untold && (!c.then[c.victim].written || one.conn.acts[c.victim].last_write.t > c.at.t);
}

Finding alone(const Case& one, std::string_view name, const Standstill& s) {
  auto result = finding(one, name, one.conn.handshake_at ? one.conn.handshake_at.t : one.conn.began.t);
  result.chosen = true;
  result.by = by_text(one, s.doer);
  result.doubts = waiting_doubts(one, s.doer);
  if (awaited_something_else(one))
    result.doubts.push_back(
        fmt::format("what the {} waited for in {} is not told", name_of(s.victim), one.complaint->deed->call));
  for (auto& doubt : passing_doubts(one)) result.doubts.push_back(std::move(doubt));
  for (auto& doubt : limits::throttled_doubts(one, s.doer)) result.doubts.push_back(std::move(doubt));
  if (!s.crossed) result.doubts.push_back("whether everything got across is not known (wire: off or incomplete)");
  for (const int pid : one.holders(s.doer)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    result.culprit = process_culprit(process, {});
    for (const auto& [tid, deed] : process->inside) result.mechanism.push_back(deed_record(s.doer, deed));
    if (process->inside.empty() && process->last)
      result.mechanism.push_back(
          record(told_by(*process->last), "last " + deed_text(s.doer, *process->last), process->last->mark));
  }
  return result;
}

}  // namespace

std::optional<Finding> find_not_accepting(const Case& one) {
  const auto s = standstill(one);
  if (!s || s->doer != Who::server || s->unaccepted != std::optional(true)) return std::nullopt;
  const auto* queue = one.listener();
  const bool deferred =
      queue && queue->options.find("defer-accept") != std::string::npos && !one.conn.stream.client.first_data;
  if ((s->lost || s->given_up) && !deferred) return std::nullopt;
  // Still in SYN_RECV, or never seen past it: the handshake's last ACK may be what is missing, or is kept back. Only an
  // open end acknowledges data.
  const auto& server = one.conn.socket.server;
  const bool opened =
      one.conn.opening.at || (server && server->state.state == "ESTABLISHED") || one.conn.stream.client.delivered > 0;
  // The handshake's last ACK reached the server's end, nothing ate it there, the queue had room, and still the kernel
  // keeps the connection back: what a listener with TCP_DEFER_ACCEPT does (tcp_check_req, net/ipv4/tcp_minisocks.c).
  const auto& facts = one.facts;
  const bool held = one.kept_in_syn_recv();
  const bool kept_back = !deferred && held && one.conn.stream.server.answered && !one.conn.stream.client.first_data &&
                         facts.complete("nft-trace") && facts.complete("counters") &&
                         facts.counter("TcpExtListenOverflows") == 0;
  const bool unopened = held || (!one.conn.opening.at && server && server->state.state == "SYN_RECV");
  if (unopened && !deferred && !kept_back) return std::nullopt;
  auto result = alone(one, "application/not-accepting", *s);
  if (!unopened && server && server->state.inode == 0)
    result.mechanism.insert(
        result.mechanism.begin(),
        record("sockets",
               fmt::format("the server's socket is {} and attached to no file: not accepted", server->state.state),
               server->at));
  if (!unopened && queue && queue->most_waiting > 0)
    result.mechanism.insert(
        result.mechanism.begin(),
        record("sockets", fmt::format("the listener's accept queue holds {} of {}", queue->most_waiting, queue->limit),
               queue->last_seen));
  if (deferred)
    result.mechanism.insert(
        result.mechanism.begin(),
        record(
            "sockets",
            fmt::format("the listener defers accept until data comes ({}), and the client sent none", queue->options),
            queue->last_seen));
  const bool in_accept = std::any_of(one.facts.processes.begin(), one.facts.processes.end(), [&](const auto& entry) {
    return one.holders(Who::server).count(entry.first) &&
           std::any_of(entry.second.inside.begin(), entry.second.inside.end(),
                       [](const auto& in) { return in.second.kind == Kind::accept; });
  });
  if (kept_back) {
    result.mechanism.insert(
        result.mechanism.begin(),
        one.conn.opening.exact
            ? record("kernel", "the server's socket left SYN_RECV only when the client had given up",
                     one.conn.opening.at)
            : record("sockets", "the server's socket is in SYN_RECV although the handshake's last ACK came",
                     one.conn.in_syn_recv));
    result.doubts.push_back("whether the listener defers accept was not seen");
  }
  if (!opened && !deferred && !kept_back)
    result.doubts.push_back("whether the server's end was ever open is not known");
  if (in_accept && !deferred && !kept_back)
    result.doubts.push_back("the server is inside accept, which would have returned");
  result.summary = fmt::format("The connection waits in the listen queue: nobody accepted it; {}", outcome_text(one));
  if (deferred || kept_back)
    result.summary =
        fmt::format("The listener defers accept until the client speaks, and the client waits for the server; {}",
                    outcome_text(one));
  return result;
}

std::optional<Finding> find_not_reading(const Case& one) {
  const auto s = standstill(one);
  if (!s || s->unaccepted == std::optional(true) || s->unread != std::optional(true)) return std::nullopt;
  if ((s->lost || s->given_up) && !one.conn.stream[s->doer].zero_window) return std::nullopt;
  auto result = alone(one, "application/not-reading", *s);
  if (one.acts_known(s->doer))
    result.mechanism.insert(
        result.mechanism.begin(),
        record("wire", fmt::format("{} acknowledged, {} read", plural(s->delivered, "byte"), s->read),
               one.conn.stream[s->victim].acked_at));
  if (const auto& seen = one.conn.socket[s->doer]; seen && waiting_in(seen->state))
    result.mechanism.insert(result.mechanism.begin(),
                            record("sockets",
                                   fmt::format("{} lie unread in the {}'s receive queue",
                                               plural(waiting_in(seen->state), "byte"), name_of(s->doer)),
                                   seen->at));
  // With bytes there, a read that does not return is not the program's choice.
  if (s->inside || inside_io(one, s->doer))
    result.doubts.push_back(fmt::format("the {} is inside a read that should have returned", name_of(s->doer)));
  if (!s->unaccepted && s->doer == Who::server) result.doubts.push_back("whether it was accepted is not known");
  result.summary = fmt::format("The {} does not read: {} acknowledged, {} read; {}", name_of(s->doer),
                               plural(s->delivered, "byte"), s->read, outcome_text(one));
  return result;
}

std::optional<Finding> find_not_answering(const Case& one) {
  const auto s = standstill(one);
  if (!s || s->lost || s->given_up || s->unaccepted == std::optional(true) || s->unread != std::optional(false))
    return std::nullopt;
  // It was inside a write, with room for it at the other end: the answer was on its way.
  if (one.complaint->then[s->doer].writing && one.complaint->then[s->victim].window != 0) return std::nullopt;
  auto result = alone(one, "application/not-answering", *s);
  // An end that was told of a close that the other never made answers nobody either.
  if (!one.wire_complete || !one.conn.wire)
    result.doubts.push_back("what else came over the wire is not known (wire: off or incomplete)");
  const bool both = s->inside || one.conn.acts[s->doer].pending || inside_io(one, s->doer);
  if (both) result.by = "nobody";
  if (s->inside && !s->inside->pending)
    result.mechanism.insert(result.mechanism.begin(), record(told_by(*s->inside),
                                                             fmt::format("the {} was inside {} at that moment",
                                                                         name_of(s->doer), s->inside->shown),
                                                             s->inside->mark));
  if (!one.acts_known(s->doer)) {
    if (const auto& seen = one.conn.socket[s->doer]; seen)
      result.mechanism.push_back(record(
          "sockets", fmt::format("the {}'s receive queue is empty and it sent nothing", name_of(s->doer)), seen->at));
  }
  if (!s->unaccepted && s->doer == Who::server) result.doubts.push_back("whether it was accepted is not known");
  for (const int pid : one.holders(s->doer))
    if (const auto* process = one.facts.process(pid))
      for (const auto& [tid, deed] : process->inside)
        if (deed.kind == Kind::close || deed.kind == Kind::shut)
          result.doubts.push_back(
              fmt::format("the {} is inside {}, which should have returned", name_of(s->doer), deed.shown));
  const auto& closers = one.conn.acts[s->doer].closers;
  const auto& fin = one.conn.stream[s->doer].fin;
  if (std::any_of(closers.begin(), closers.end(),
                  [&](const Deed& deed) { return deed.kind != Kind::exec && deed.end <= one.complaint->at.t; }) &&
      fin && fin.t > one.complaint->at.t + kSlack)
    result.doubts.push_back(fmt::format("the {} had closed, and its FIN came only later", name_of(s->doer)));
  // Bytes that a read brought in and that the program never saw would stand in no queue.
  result.summary = both ? fmt::format("Both ends wait for the other: the {} read {} and waits for more; {}",
                                      name_of(s->doer), plural(s->read, "byte"), outcome_text(one))
                        : fmt::format("The {} read what was sent ({}) and did not answer; {}", name_of(s->doer),
                                      plural(s->delivered, "byte"), outcome_text(one));
  tell_held_open(one, s->doer, s->inside, result);
  return result;
}

std::string no_not_accepting(const Case& one) {
  if (!one.starved() || one.unaccepted() != std::optional(false)) return {};
  return one.conn.acts.server.accepted ? "the server accepted it" : "its socket is held by a process";
}
std::string no_not_reading(const Case& one) {
  const auto s = standstill(one);
  if (!s || s->unread != std::optional(false)) return {};
  return fmt::format("{} acknowledged, {} read", plural(s->delivered, "byte"), s->read);
}
std::string no_not_answering(const Case& one) {
  const auto s = standstill(one);
  if (!s) return {};
  if (s->lost && s->delivered == 0 && one.conn.wire)
    return fmt::format("nothing that the {} sent was acknowledged", name_of(s->victim));
  if (one.conn.acts[s->doer].last_write && one.complaint->then[s->doer].written > 0)
    return fmt::format("the {} wrote {}", name_of(s->doer), plural(one.complaint->then[s->doer].written, "byte"));
  return {};
}

}  // namespace lab::verdict::application
