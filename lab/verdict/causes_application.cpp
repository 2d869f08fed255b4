// What an end's program did.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/cause.hpp"
#include "verdict/deeds.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

using What = Complaint::What;
using How = Closer::How;

bool crash_signal(int signal) {
  return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
         signal == SIGTRAP;
}
// The process's own timers and writes raise these.
bool own_signal(int signal) {
  return signal == SIGPIPE || signal == SIGALRM || signal == SIGVTALRM || signal == SIGPROF;
}

const SignalFacts* sender_of(const Process& process) {
  for (auto at = process.signals.rbegin(); at != process.signals.rend(); ++at)
    if (at->sent.signal == process.signal) return &*at;
  return nullptr;
}

bool sent_by_itself(const Process& process) {
  const auto* sent = sender_of(process);
  if (sent) return !sent->sent.by_kernel && sent->sent.sender == process.pid;
  return process.last && process.last->step && process.last->kind == Kind::exit &&
         process.last->shown.starts_with("raise");
}

bool sent_from_outside(const Process& process) {
  const auto* sent = sender_of(process);
  return sent && !sent->sent.by_kernel && sent->sent.sender != process.pid;
}

// The kernel's own SIGKILL: out of memory in its cgroup, or the hard limit on CPU time.
bool killed_by_limit(const Facts& facts, const Process& process) {
  if (process.signal != SIGKILL) return false;
  if (const auto* sent = sender_of(process); sent && sent->sent.sender && !sent->sent.by_kernel) return false;
  for (const auto* name : {"cgroup.memory", "cpu"})
    if (const auto at = process.limits.find(name); at != process.limits.end() && at->second.state.hit) return true;
  return std::any_of(facts.changes.begin(), facts.changes.end(), [&](const ChangeFacts& c) {
    return c.change.kind == "cgroup-oom-kill" && c.at.t <= process.exited.t + 50'000'000;
  });
}

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
  if (tls)
    text += own.head.starts_with("1603") ? ", both speaking TLS"
            : own.head.empty()           ? "; the other end spoke TLS"
                                         : "; the other end spoke TLS and was answered in plain text or with an alert";
  return text;
}

Record exit_record(const Process& process) {
  const auto text = process.signal
                        ? fmt::format("{} was killed by {}", process_text(&process), signal_title(process.signal))
                        : fmt::format("{} exited with status {}", process_text(&process), process.status);
  return record("actors", text, process.exited);
}

Record deed_record(const Case& one, Who who, const Deed& deed) {
  return record(deed.step ? "actors" : "syscalls", deed_text(one.facts.process(deed.pid), who, deed), deed.mark);
}

// The closing segment is this end's own, or was not watched.
bool closed_by_an_end(const Case& one) { return one.gone() && !one.closing.foreign(); }

std::optional<Finding> chosen(const Case& one, std::string_view name, Who who, const Closer& closer) {
  auto result = finding(one, name, one.closing.any ? one.closing.at.t : one.until());
  result.chosen = true;
  result.by = by_text(one, who);
  result.doubts = closing_doubts(one, who, closer);
  if (closer.deed) {
    result.mechanism.push_back(deed_record(one, who, *closer.deed));
    result.culprit = {.kind = "call", .name = closer.deed->call, .pid = closer.deed->pid, .detail = closer.deed->shown};
  } else if (closer.process) {
    result.culprit = process_culprit(closer.process, {});
  } else {
    result.culprit = {.kind = "peer", .name = name_of(who)};
  }
  return result;
}

bool reset_first(const Case& one) {
  if (!one.half_closed()) return one.closing.any && !one.closing.fin;
  const auto& doer = one.conn.stream[one.doer()];
  return doer.rst && !doer.fin;
}

std::optional<Finding> find_closed(const Case& one) {
  if (!closed_by_an_end(one) || reset_first(one)) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (closer.how == How::signalled || (closer.how == How::exited && closer.sure) || closer.how == How::reset)
    return std::nullopt;
  if (one.complaint->what != What::eof && !one.closing.any && !closer.deed) return std::nullopt;
  auto result = chosen(one, "application/closed", who, closer);
  result->summary =
      fmt::format("The {} closed the connection {}; {}", name_of(who), stage_text(one, who), outcome_text(one));
  if (!one.closing.any && (one.conn.stream.client.mptcp || one.conn.stream.server.mptcp))
    result->summary += " (MPTCP: the data stream was closed without a FIN)";
  // A reset long after the FIN may be that of a socket that had expired meanwhile.
  const auto& stream = one.conn.stream[who];
  if (one.complaint->what != What::eof && stream.fin && stream.rst && stream.rst.t - stream.fin.t > 500'000'000 &&
      !one.facts.complete("kernel"))
    result->doubts.push_back("whether FIN_WAIT2 had run out before the reset is not known (kernel: off)");
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
  if (!one.conn.stream[who].rst_acks) return std::nullopt;
  auto result = chosen(one, "application/closed-unread", who, closer);
  result->mechanism.clear();
  const auto& built = one.conn.built[who];
  const auto told =
      std::find_if(built.begin(), built.end(), [](const KernelReset& r) { return r.reason == "TCP_ABORT_ON_CLOSE"; });
  if (told != built.end())
    result->mechanism.push_back(record("kernel", "the reset's reason is TCP_ABORT_ON_CLOSE", told->at));
  if (closer.unread && *closer.unread > 0 && closer.deed) {
    auto r = deed_record(one, who, *closer.deed);
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
  result->summary = fmt::format("The {} closed with {} unread, so its kernel sent a reset; {}", name_of(who), unread,
                                outcome_text(one));
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
  if (one.closing.any && !reset_first(one)) return std::nullopt;
  auto result = chosen(one, "application/reset", who, closer);
  if (counted)
    result->mechanism.push_back(record("counters", "TcpExtTCPAbortOnData moved, no FIN went before the reset",
                                       one.facts.counter_mark("TcpExtTCPAbortOnData")));
  result->summary =
      fmt::format("The {} asked for a reset (SO_LINGER 0 or a disconnect); {}", name_of(who), outcome_text(one));
  return result;
}

std::optional<Finding> find_exited(const Case& one) {
  if (!closed_by_an_end(one)) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (!closer.process || closer.deed || (who == Who::server && one.unaccepted().value_or(false))) return std::nullopt;
  const bool by_signal =
      closer.how == How::signalled && (own_signal(closer.process->signal) ||
                                       (sent_by_itself(*closer.process) && !crash_signal(closer.process->signal)));
  const bool alone = closer.how == How::exited && closer.sure;
  if ((!by_signal && !alone) || (by_signal && sent_from_outside(*closer.process))) return std::nullopt;
  auto result = chosen(one, "application/exited", who, closer);
  result->mechanism = {exit_record(*closer.process)};
  result->culprit = process_culprit(closer.process, by_signal ? signal_title(closer.process->signal)
                                                              : fmt::format("exit status {}", closer.process->status));
  result->summary = fmt::format("The {}'s process {} with the connection open; {}", name_of(who),
                                by_signal ? fmt::format("ended by its own {}", signal_title(closer.process->signal))
                                          : fmt::format("exited with status {}", closer.process->status),
                                outcome_text(one));
  return result;
}

std::optional<Finding> died(const Case& one, std::string_view name, bool crashes) {
  if (!closed_by_an_end(one)) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (closer.how != How::signalled || !closer.process) return std::nullopt;
  const auto& process = *closer.process;
  const int signal = process.signal;
  if (signal == SIGSYS && !sent_from_outside(process)) return std::nullopt;
  if (own_signal(signal) && !sent_from_outside(process)) return std::nullopt;
  if ((signal == SIGXCPU || signal == SIGXFSZ) && !sent_from_outside(process)) return std::nullopt;
  if (killed_by_limit(one.facts, process)) return std::nullopt;
  const bool crashed = crash_signal(signal) && !sent_from_outside(process);
  if (crashed != crashes || (!crashed && sent_by_itself(process))) return std::nullopt;
  auto result = finding(one, name, one.closing.any ? one.closing.at.t : process.exited.t);
  result.by = by_text(one, who);
  result.mechanism.push_back(exit_record(process));
  if (!closer.sure) result.doubts = closing_doubts(one, who, closer);
  result.culprit = {.kind = "signal", .name = signal_title(signal), .pid = process.pid};
  std::string sender;
  if (const auto* sent = sender_of(process)) {
    result.at = std::min(result.at, sent->at.t);
    if (sent->sent.sender) {
      sender =
          fmt::format(" sent by {} (process {})",
                      sent->sent.sender_name.empty() ? "another process" : sent->sent.sender_name, sent->sent.sender);
      result.culprit.detail = fmt::format("sender: process {}{}", sent->sent.sender,
                                          sent->sent.sender_name.empty() ? "" : " " + sent->sent.sender_name);
    }
    result.mechanism.push_back(
        record("signals", fmt::format("{} to process {}{}", signal_title(signal), process.pid, sender), sent->at));
  } else if (signal == SIGKILL) {
    // The kernel's own SIGKILLs: out of memory, and the hard limit on CPU time.
    for (const auto& limit : process.given)
      if ((limit.starts_with("cgroup.memory") && !one.facts.on("limits") && !one.facts.on("changes")) ||
          (limit.starts_with("cpu") && !one.facts.on("limits")))
        result.doubts.push_back(fmt::format("it had the limit {}, and whether that killed it is not known", limit));
  }
  result.summary = fmt::format("The {}'s process was killed by {}{} with the connection open; {}", name_of(who),
                               signal_title(signal), sender, outcome_text(one));
  if (crashed)
    result.summary = fmt::format("The {}'s process crashed ({}) with the connection open; {}", name_of(who),
                                 signal_title(signal), outcome_text(one));
  return result;
}
std::optional<Finding> find_crashed(const Case& one) { return died(one, "application/crashed", true); }
std::optional<Finding> find_killed(const Case& one) { return died(one, "application/killed", false); }

std::optional<Finding> find_stopped(const Case& one) {
  if (!one.starved()) return std::nullopt;
  const Who who = one.doer();
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !process->stopped || process->stopped.t > one.until()) continue;
    if (process->resumed && process->resumed.t < one.until()) continue;
    // What it did after the stop was seen says that it was not stopped.
    const auto& acts = one.conn.acts[who];
    if (std::max(acts.last_read.t, acts.last_write.t) > process->stopped.t) continue;
    auto result = finding(one, "application/stopped", process->stopped.t);
    result.by = by_text(one, who);
    result.mechanism.push_back(
        record("processes", fmt::format("{} is {}", process_text(process), process->stop_state), process->stopped));
    for (const auto& signal : process->signals)
      if (signal.sent.signal == SIGSTOP || signal.sent.signal == SIGTSTP)
        result.mechanism.push_back(
            record("signals", fmt::format("{} from process {}", signal_title(signal.sent.signal), signal.sent.sender),
                   signal.at));
    result.culprit = process_culprit(process, process->stop_state);
    result.summary = fmt::format("The {}'s process is {}, not gone: its kernel still acknowledges, nobody reads; {}",
                                 name_of(who), process->stop_state, outcome_text(one));
    return result;
  }
  return std::nullopt;
}

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

// Bytes that wait to be read. The kernel counts a FIN as one (rcv_nxt, net/ipv4/tcp_diag.c).
std::uint32_t waiting_in(const evidence::SocketState& s) {
  const bool finished = s.state == "CLOSE_WAIT" || s.state == "LAST_ACK" || s.state == "CLOSING";
  return s.receive_queue - (finished && s.receive_queue ? 1U : 0U);
}

std::optional<Standstill> standstill(const Case& one) {
  if (!one.starved()) return std::nullopt;
  const Who victim = one.victim(), doer = other(victim);
  Standstill s{.victim = victim, .doer = doer};
  const auto& then = one.complaint->then;
  // TCP itself gave up: segments were lost, whatever the programs did. A shut window is the exception.
  s.given_up = one.complaint->deed && one.complaint->deed->error != 0;
  s.lost = one.gap(victim).any || one.gap(doer).any || !open_hits(one, true).empty();
  s.delivered = one.conn.wire ? then[victim].delivered : then[victim].written;
  s.read = then[victim].read;
  s.unaccepted = doer == Who::server ? one.unaccepted() : std::optional(false);
  // Accepted later than the victim's patience is not accepted.
  if (doer == Who::server && one.conn.acts.server.accepted && one.conn.acts.server.accepted.t > one.complaint->at.t)
    s.unaccepted = true;
  const auto& seen = one.conn.socket[doer];
  if (one.acts_known(doer) && (one.conn.wire || one.acts_known(victim)))
    s.unread = s.delivered > s.read;
  else if (seen && seen->state.state != "TIME_WAIT")
    s.unread = waiting_in(seen->state) > 0;
  s.inside = one.complaint->facing;
  if (const auto& pending = one.conn.acts[doer].pending;
      pending && pending->kind == Kind::read && pending->start <= one.complaint->at.t)
    s.inside = pending;
  // A step that reads until it has enough takes what comes, and tells only at its end how much that was; the socket's
  // queue says whether it did (a thread that was killed in its read takes nothing).
  if (s.inside && (s.inside->exact || s.inside->to_eof) && s.unread == std::optional(true)) {
    const bool told = seen && seen->at.t > one.conn.stream[victim].last_data.t && seen->state.state != "TIME_WAIT";
    s.unread = told ? std::optional(waiting_in(seen->state) > 0) : std::nullopt;
    if (s.unread == std::optional(false)) s.read = s.delivered;
  }
  // Written and read agree in both directions: nothing can have been lost.
  const bool settled = one.acts_known(doer) && one.acts_known(victim) && then[victim].written == then[victim].read &&
                       then[doer].written == then[doer].read;
  s.crossed = (one.wire_complete && one.conn.wire) || settled;
  return s;
}

Finding alone(const Case& one, std::string_view name, const Standstill& s) {
  auto result = finding(one, name, one.conn.handshake_at ? one.conn.handshake_at.t : one.conn.began.t);
  result.chosen = true;
  result.by = by_text(one, s.doer);
  result.doubts = waiting_doubts(one, s.doer);
  if (!s.crossed) result.doubts.push_back("whether everything got across is not known (wire: off or incomplete)");
  for (const int pid : one.holders(s.doer)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    result.culprit = process_culprit(process, {});
    for (const auto& [tid, deed] : process->inside)
      result.mechanism.push_back(
          record(deed.step ? "actors" : "syscalls", deed_text(process, s.doer, deed), deed.mark));
    if (process->inside.empty() && process->last)
      result.mechanism.push_back(record(process->last->step ? "actors" : "syscalls",
                                        "last " + deed_text(process, s.doer, *process->last), process->last->mark));
  }
  return result;
}

std::optional<Finding> find_not_accepting(const Case& one) {
  const auto s = standstill(one);
  if (!s || s->doer != Who::server || s->unaccepted != std::optional(true)) return std::nullopt;
  const auto* queue = one.listener();
  const bool deferred =
      queue && queue->options.find("defer-accept") != std::string::npos && !one.conn.stream.client.first_data;
  if ((s->lost || s->given_up) && !deferred) return std::nullopt;
  // Still in SYN_RECV, or never seen past it: the handshake's last ACK may be what is missing.
  const auto& server = one.conn.socket.server;
  const bool opened = one.conn.left_syn_recv.server || (server && server->state.state == "ESTABLISHED") ||
                      one.conn.stream.server.answered;
  // The handshake's last ACK reached the server's end, nothing ate it there, the queue had room, and still the kernel
  // keeps the connection back: what a listener with TCP_DEFER_ACCEPT does (tcp_check_req, net/ipv4/tcp_minisocks.c).
  const auto& facts = one.facts;
  const bool kept_back = !deferred && server && server->state.state == "SYN_RECV" && one.conn.stream.server.answered &&
                         !one.conn.stream.client.first_data && facts.complete("nft-trace") &&
                         facts.complete("counters") && facts.counter("TcpExtListenOverflows") == 0;
  if (server && server->state.state == "SYN_RECV" && !deferred && !kept_back) return std::nullopt;
  auto result = alone(one, "application/not-accepting", *s);
  if (const auto& seen = one.conn.socket.server; seen && seen->state.inode == 0)
    result.mechanism.insert(
        result.mechanism.begin(),
        record("sockets",
               fmt::format("the server's socket is {} and attached to no file: not accepted", seen->state.state),
               seen->at));
  if (queue && queue->most_waiting > 0)
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
        record("sockets", "the server's socket is in SYN_RECV although the handshake's last ACK came", server->at));
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

bool inside_io(const Case& one, Who who) {
  for (const int pid : one.holders(who))
    if (const auto* process = one.facts.process(pid))
      for (const auto& [tid, deed] : process->inside)
        if (deed.kind == Kind::read) return true;
  return false;
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
  if (const auto& seen = one.conn.socket[s->doer]; seen && seen->state.receive_queue)
    result.mechanism.insert(result.mechanism.begin(),
                            record("sockets",
                                   fmt::format("{} lie unread in the {}'s receive queue",
                                               plural(seen->state.receive_queue, "byte"), name_of(s->doer)),
                                   seen->at));
  // With bytes there, a read that does not return is not the program's choice.
  if (inside_io(one, s->doer))
    result.doubts.push_back(fmt::format("the {} is inside a read that should have returned", name_of(s->doer)));
  if (!s->unaccepted && s->doer == Who::server) result.doubts.push_back("whether it was accepted is not known");
  result.summary = fmt::format("The {} does not read: {} acknowledged, {} read; {}", name_of(s->doer),
                               plural(s->delivered, "byte"), s->read, outcome_text(one));
  return result;
}

// It meant to close, and a descriptor elsewhere keeps the connection open: its FIN is what does not come.
void tell_held_open(const Case& one, const Standstill& s, const Deed& closed, const SocketFacts& alive,
                    Finding& result) {
  result.by = name_of(s.doer);
  result.mechanism = {deed_record(one, s.doer, closed),
                      record("sockets",
                             fmt::format("the {}'s socket is still {} and attached to a file {} after its close",
                                         name_of(s.doer), alive.state.state, span_text(alive.at.t - closed.end)),
                             alive.at)};
  result.culprit = {.kind = "call", .name = closed.call, .pid = closed.pid, .detail = "another descriptor holds it"};
  result.summary = fmt::format(
      "The {} closed its descriptor, and another one (in a parent, a child, an inherited program) holds the "
      "connection open; {}",
      name_of(s.doer), outcome_text(one));
}

std::optional<Finding> find_not_answering(const Case& one) {
  const auto s = standstill(one);
  if (!s || s->lost || s->given_up || s->unaccepted == std::optional(true) || s->unread != std::optional(false))
    return std::nullopt;
  // It was inside a write, with room for it at the other end: the answer was on its way.
  if (one.complaint->then[s->doer].writing && one.conn.stream[s->victim].window != 0) return std::nullopt;
  auto result = alone(one, "application/not-answering", *s);
  const bool both = s->inside || one.conn.acts[s->doer].pending || inside_io(one, s->doer);
  if (both) result.by = "nobody";
  if (s->inside && !s->inside->pending)
    result.mechanism.insert(result.mechanism.begin(), record(s->inside->step ? "actors" : "syscalls",
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
  // Bytes that a read brought in and that the program never saw would stand in no queue.
  result.summary = both ? fmt::format("Both ends wait for the other: the {} read {} and waits for more; {}",
                                      name_of(s->doer), plural(s->read, "byte"), outcome_text(one))
                        : fmt::format("The {} read what was sent ({}) and did not answer; {}", name_of(s->doer),
                                      plural(s->delivered, "byte"), outcome_text(one));
  for (const auto& deed : one.conn.acts[s->doer].closers)
    if (const auto* alive = one.held_open(s->doer, deed); alive && deed.end <= one.until())
      tell_held_open(one, *s, deed, *alive, result);
  return result;
}

std::optional<Finding> find_listener_closed(const Case& one) {
  if (!closed_by_an_end(one) || one.doer() != Who::server || one.unaccepted() != std::optional(true))
    return std::nullopt;
  // A listener that goes away resets for the waiting connection's own socket; one that answers a segment is still there.
  const auto& resets = one.conn.built.server;
  if (std::any_of(resets.begin(), resets.end(), [](const KernelReset& reset) { return reset.state == "LISTEN"; }))
    return std::nullopt;
  auto result = finding(one, "application/listener-closed", one.until());
  result.chosen = true;
  result.by = "server";
  for (const int pid : one.holders(Who::server)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    if (const auto& deed = process->closed_listener; deed && deed->start <= one.until())
      result.mechanism.push_back(deed_record(one, Who::server, *deed));
    else if (process->exited && !process->by_lab && process->signal == 0)
      result.mechanism.push_back(exit_record(*process));
    else
      continue;
    result.culprit = process_culprit(process, {});
  }
  if (const auto* queue = one.listener(); queue && queue->closed && queue->closed.t <= one.until() + 50'000'000)
    result.mechanism.push_back(
        record("sockets", fmt::format("the listener on {} is gone", to_string(queue->local)), queue->closed));
  if (!one.acts_known(Who::server))
    result.doubts.push_back("what the server's process did is not known (system calls: off)");
  for (const auto& snag : one.snags(Who::server))
    if (!snag.trouble->filtered)
      result.doubts.push_back(fmt::format("{} had failed with {} before it", snag.trouble->deed.call,
                                          error_name(snag.trouble->deed.error)));
  result.summary =
      fmt::format("The listener went away while the connection still waited to be accepted; {}", outcome_text(one));
  return result;
}

// A connection of the same process onwards that never came about, tried while this one was open.
const Conn* failed_onwards(const Case& one, const std::set<int>& pids) {
  for (const auto& onwards : one.facts.conns) {
    if (&onwards == &one.conn || onwards.handshake || onwards.began.t < one.conn.began.t ||
        onwards.began.t > one.until())
      continue;
    const auto& theirs = onwards.acts.client.pids;
    const auto& held = onwards.holders.client;
    if (std::any_of(pids.begin(), pids.end(), [&](int pid) { return theirs.count(pid) || held.count(pid); }))
      return &onwards;
  }
  return nullptr;
}

std::optional<Finding> find_backend_refused(const Case& one) {
  if (!one.complaint || one.unconnected()) return std::nullopt;
  if (one.gone() && one.closing.foreign()) return std::nullopt;
  const Who who = one.doer();
  if (who != Who::server) return std::nullopt;
  const auto pids = one.holders(who);
  const auto* onwards = failed_onwards(one, pids);
  const auto last_good = one.conn.acts.server.last_write.t;
  for (const int pid : pids) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    const auto& failed = process->failed_connect;
    const bool in_time =
        failed && failed->end >= one.conn.began.t && failed->end <= one.until() && failed->end >= last_good;
    if (!in_time && !onwards) continue;
    if (failed && in_time && shortage(*failed)) continue;
    auto result = finding(one, "application/backend-refused", in_time ? failed->end : onwards->began.t);
    result.by = "proxy";
    if (in_time)
      result.mechanism.push_back(record(
          failed->step ? "actors" : "syscalls",
          fmt::format("{}: {} → {}", process_text(process), failed->shown, error_name(failed->error)), failed->mark));
    if (onwards && onwards->stream.server.rst)
      result.mechanism.push_back(record("wire",
                                        fmt::format("{} refused the connection onwards", to_string(onwards->server)),
                                        onwards->stream.server.rst));
    if (result.mechanism.empty()) continue;
    result.culprit = {
        .kind = "call", .name = "connect", .pid = pid, .detail = failed ? error_name(failed->error) : "no answer"};
    result.summary =
        fmt::format("The process that accepted could not connect onwards{} and gave up; {}",
                    failed && in_time ? fmt::format(" ({})", error_name(failed->error)) : "", outcome_text(one));
    return result;
  }
  return std::nullopt;
}

// ---- why not

std::string no_closed(const Case& one) {
  if (!one.wire_complete || !one.conn.wire || one.closing.any) return {};
  return "no FIN and no reset from either end reached the wire before the end";
}
std::string no_exit(const Case& one) {
  if (!one.facts.on("actors") || !one.complaint) return {};
  for (const int pid : one.holders(one.doer()))
    if (const auto* process = one.facts.process(pid);
        process && process->started &&
        (!process->exited || process->by_lab || process->exited.t > one.until() + 100'000'000))
      return fmt::format("{} still ran at that moment", process_text(process));
  return {};
}
std::string no_closed_unread(const Case& one) {
  if (one.closing.any && one.closing.fin) return "the first closing segment is a FIN; unread bytes make a reset";
  if (!one.closing.any || !one.facts.complete("counters") || one.facts.counter("TcpExtTCPAbortOnClose") > 0) return {};
  return "TcpExtTCPAbortOnClose moved by 0";
}
std::string no_reset(const Case& one) {
  if (one.closing.any && one.closing.fin) return "the first closing segment is a FIN";
  if (one.closing.any && one.acts_known(one.closing.from) && !one.conn.acts[one.closing.from].asked_reset)
    return fmt::format("the {} never set SO_LINGER to 0 nor disconnected", name_of(one.closing.from));
  return {};
}
std::string no_stop(const Case& one) {
  if (!one.starved()) return {};
  for (const int pid : one.holders(one.doer()))
    if (const auto* process = one.facts.process(pid); process && process->at_end && !process->stopped)
      return fmt::format("{} is {}", process_text(process), process->at_end->state);
  return {};
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

}  // namespace

std::span<const Cause> application_causes() {
  static const std::vector<Cause> all = {
      {"application/closed",
       "an end closed (FIN) before giving what the other waited for",
       find_closed,
       no_closed,
       {"Look into the closing end's log at that moment: connection limits, idle timeouts and unknown protocols close "
        "without a word",
        "See its calls: strace -f -e trace=network,close -p PID, or bpftrace on tcp_close",
        "Compare both ends' idea of the protocol: TLS against plain text, HTTP/1 against HTTP/2"}},
      {"application/closed-unread",
       "an end closed with bytes unread, which makes the kernel send a reset",
       find_closed_unread,
       no_closed_unread,
       {"nstat -az TcpExtTCPAbortOnClose counts it on the closing host",
        "Read the request to its end before closing, or shutdown(SHUT_WR), read to end of file, then close"}},
      {"application/reset",
       "an end asked for a reset (SO_LINGER 0, disconnect)",
       find_reset,
       no_reset,
       {"Search the program and its libraries for SO_LINGER: strace -f -e trace=setsockopt -p PID",
        "nstat -az TcpExtTCPAbortOnData TcpExtTCPAbortOnLinger on the resetting host"}},
      {"application/exited",
       "its process ended by itself with the connection open",
       find_exited,
       no_exit,
       {"systemctl status and the journal tell the exit status and when it was restarted",
        "Look for an unhandled exception or SIGPIPE in its log"}},
      {"application/crashed",
       "its process ended by its own fault (SEGV, ABRT, …) with the connection open",
       find_crashed,
       no_exit,
       {"coredumpctl list; coredumpctl gdb PID; dmesg | grep -i segfault",
        "Restart counters of the supervisor tell how often"}},
      {"application/killed",
       "its process was ended by a signal from outside",
       find_killed,
       no_exit,
       {"journalctl -k | grep -i -E 'killed process|oom'",
        "Who sent it: bpftrace -e 'tracepoint:signal:signal_generate { printf(\"%s %d -> %d\\n\", comm, args->sig, "
        "args->pid); }'",
        "Deployments, health checks and supervisors kill: compare the times"}},
      {"application/stopped",
       "its process is stopped or frozen, not gone",
       find_stopped,
       no_stop,
       {"ps -o pid,stat,wchan:30,cmd -p PID: T is stopped, a frozen cgroup shows in cgroup.freeze",
        "kill -CONT PID; look for a debugger, SIGTTOU/SIGTTIN or a paused container"}},
      {"application/not-accepting",
       "the connection waits in the accept queue",
       find_not_accepting,
       no_not_accepting,
       {"ss -ltn: Recv-Q of the listener is the number of connections that wait",
        "What is the accepting thread doing: cat /proc/PID/task/*/wchan, gdb -p PID, py-spy dump"}},
      {"application/not-reading",
       "its bytes are acknowledged and never read",
       find_not_reading,
       no_not_reading,
       {"ss -tn: Recv-Q of the connection does not shrink",
        "What is the thread that should read doing: cat /proc/PID/task/*/wchan, gdb -p PID"}},
      {"application/not-answering",
       "they are read and nothing comes back, or both ends wait for the other",
       find_not_answering,
       no_not_answering,
       {"ss -tnoi on both ends: empty queues and no timer mean that both programs wait",
        "Compare what each side thinks it is owed: a missing newline, length or final chunk is the usual reason"}},
      {"application/listener-closed",
       "the listener went away with this connection still un-accepted",
       find_listener_closed,
       nullptr,
       {"Restarts lose what waits in the accept queue: hand the listening socket over (socket activation) or drain "
        "first",
        "nstat -az TcpExtListenDrops; compare with the time of the restart"}},
      {"application/backend-refused",
       "a proxy accepted, its own connection onwards failed, and it closed",
       find_backend_refused,
       nullptr,
       {"Look at the proxy's log and its backends' health; try the backend from the proxy's host",
        "Check the backend's address, port and family in the proxy's configuration"}},
  };
  return all;
}

}  // namespace lab::verdict
