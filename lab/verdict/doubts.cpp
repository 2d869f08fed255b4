// Why what an end did, or left undone, of its own accord can't be told from something that befell it.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <set>

#include "verdict/application.hpp"
#include "verdict/bearing.hpp"
#include "verdict/cause.hpp"
#include "verdict/deeds.hpp"
#include "verdict/kept_from.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

// What had been sent to it was lost on its way when it closed.
bool lost_towards(const Case& one, Who who) {
  if (!one.conn.at_closing) return false;
  const auto& then = (*one.conn.at_closing)[other(who)];
  const auto& stream = one.conn.stream[other(who)];
  const auto eaten = [&](const Hits& hits) {
    return hits.open_first && hits.from == other(who) && hits.data && written_by(one.conn, hits, *one.conn.at_closing);
  };
  if (stream.syns && std::any_of(one.conn.hits.begin(), one.conn.hits.end(), eaten)) return true;
  // What waits in the buffer of an end that writes on is on its way.
  const bool never_left = one.wire_complete && one.conn.wire && one.acts_known(other(who)) &&
                          then.written > then.sent && !then.writing && one.conn.stream[who].window != 0 &&
                          one.until() - one.conn.acts[other(who)].last_write.t > kThinks;
  // Where nobody would have seen it eaten, what is not acknowledged behind a delayed ACK's time may be lost.
  constexpr std::int64_t delayed_ack = 40'000'000;
  const bool unwatched = !one.facts.complete("nft-trace") && !one.facts.complete("kernel");
  const bool late = unwatched && then.open && one.until() - then.open_since.t > delayed_ack;
  return (then.open && then.repeats) || late || never_left;
}

// A connection that a holder of the server's end had opened itself, asked on, and not been answered on.
const Conn* unanswered_onwards(const Case& one) {
  auto pids = one.holders(Who::server);
  std::erase_if(pids, [&](int pid) { return !one.facts.process(pid) || !one.facts.process(pid)->connects; });
  if (pids.empty()) return nullptr;
  for (const auto& conn : one.facts.conns) {
    const auto& acts = conn.acts.client;
    const bool asked = acts.last_write && (!acts.last_read || acts.last_read.t < acts.last_write.t);
    const bool since = acts.last_write.t >= one.conn.began.t && one.until() - acts.last_write.t > kThinks;
    if (&conn == &one.conn || !conn.handshake || !asked || !since) continue;
    if (std::any_of(pids.begin(), pids.end(), [&](int pid) { return acts.users.contains(pid); })) return &conn;
  }
  return nullptr;
}

bool kills(int signal) { return signal == SIGKILL || application::crash_signal(signal); }

// The signal that ended one of these while the connection was open, as far as can be seen: nobody may have waited for
// it.
const SignalFacts* ended_one_of(const std::set<int>& pids, const Case& one) {
  for (const int pid : pids) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    for (const auto& signal : process->signals)
      if (kills(signal.sent.signal) && signal.at.t >= one.conn.began.t && signal.at.t <= one.until() &&
          !(process->last && process->last->start > signal.at.t + 1'000'000))
        return &signal;
  }
  return nullptr;
}

// Of a child that a holder may have closed over.
const SignalFacts* killed_child(const Case& one, Who who, const Closer& closer) {
  std::set<int> children;
  for (const int pid : one.holders(who))
    if (const auto* process = one.facts.process(pid))
      children.insert(process->children.begin(), process->children.end());
  if (closer.process) children.erase(closer.process->pid);
  return ended_one_of(children, one);
}

// It had waited for something that was lost, or for an answer from further on.
std::vector<std::string> waited_doubts(const Case& one, Who who, const Closer& closer) {
  std::vector<std::string> doubts;
  if (lost_towards(one, who))
    doubts.push_back(fmt::format("what the {} had sent was lost on its way, and the {} may have waited for it",
                                 name_of(other(who)), name_of(who)));
  if (const auto* signal = killed_child(one, who, closer))
    doubts.push_back(fmt::format("its child process {} had been ended by {}", signal->sent.target,
                                 signal_title(signal->sent.signal)));
  if (who == Who::server)
    if (const auto* conn = unanswered_onwards(one))
      doubts.push_back(
          fmt::format("it had asked {} and may have waited for the answer", evidence::to_string(conn->server)));
  return doubts;
}

// Nothing on the wire says where a message ends, or whether it asks for an answer: only a step says what was hoped for.
// Whoever closes before it has met the end of file closes for a reason of its own.
std::vector<std::string> goodbye_doubts(const Case& one, Who who) {
  const auto& c = one.complaint;
  if (who != Who::server || !c || c->what != Complaint::What::eof || !c->deed || c->deed->step) return {};
  const auto &client = one.conn.acts.client, &server = one.conn.acts.server;
  const bool ended = std::any_of(client.closers.begin(), client.closers.end(),
                                 [&](const Deed& deed) { return writes_only(deed) && deed.end <= c->deed->end; });
  if (ended && server.met_end && !own_shutdown(one, who, server.met_end.t))
    return {"the client had ended its own direction: one that only sends waits for end of file so"};
  const bool all_read = server.read > 0 && server.read == client.written;
  const auto& fin = one.conn.stream.client.fin;
  const bool to_the_end =
      fin && server.written > 0 && server.closers.size() > 1 && server.closers.back().start >= fin.t;
  if (to_the_end && writes_only(server.closers.front()) && all_read)
    return {"the server ended its own direction alone, and read all that came until the client ended, too"};
  if (client.last_read && all_read && c->deed->start >= client.last_write.t)
    return {"it had answered before: a last word that asks for no answer looks the same"};
  return {};
}

// MPTCP tells the end of its data in an option; the FINs of what carried it may come any time later (RFC 8684, 3.3.3).
bool ended_by_option(const Case& one, const Closer& closer) {
  return one.conn.mptcp() && one.complaint->what == Complaint::What::eof && closer.deed &&
         closer.deed->start <= one.complaint->at.t;
}

}  // namespace

std::vector<std::string> closing_doubts(const Case& one, Who who, const Closer& closer) {
  auto doubts = waited_doubts(one, who, closer);
  for (auto& doubt : goodbye_doubts(one, who)) doubts.push_back(std::move(doubt));
  if (!closer.sure && one.acts_known(who))
    doubts.push_back(fmt::format("which of those that held the {}'s end let go of it last is not known", name_of(who)));
  else if (!closer.sure)
    doubts.push_back(fmt::format("what the {}'s process did is not known (system calls: {})", name_of(who),
                                 one.facts.on("syscalls") ? "nothing of it seen" : "off"));
  if (!one.closing.any && one.complaint && one.complaint->what != Complaint::What::eof)
    doubts.push_back(one.facts.on("wire") ? "no closing segment reached the wire" : "the wire was not watched");
  if (one.closing.any && !one.closing.fin && one.closing.builder != Closing::Builder::tcp)
    doubts.push_back("nothing says that the end's own TCP built the reset (counters or kernel would)");
  // A segment and a call are both told of by the kernel's clock.
  constexpr std::int64_t slack = 10'000'000;
  if (one.closing.any && one.gone() && one.complaint->deed && one.closing.at.t > one.complaint->at.t + slack &&
      !ended_by_option(one, closer))
    doubts.push_back(fmt::format("the {}'s call had come back {} before it", name_of(one.complaint->victim),
                                 span_text(one.closing.at.t - one.complaint->at.t)));
  for (auto& failure : failures_before(one, who)) doubts.push_back(std::move(failure));
  return doubts;
}

std::vector<std::string> passing_doubts(const Case& one) {
  const auto& deed = one.complaint->deed;
  if (!deed || !deed->passing) return {};
  return {fmt::format("{} does not tell that the {} waited for an answer", deed->call, name_of(one.victim()))};
}

namespace {

bool waits_for_bytes(const Process* process) {
  return process && std::any_of(process->inside.begin(), process->inside.end(), [](const auto& in) {
           return in.second.kind == Kind::read || in.second.kind == Kind::poll;
         });
}

}  // namespace

namespace {

// An acknowledgement that is lost stops who writes, not who waits for bytes.
bool only_acknowledgements(const Case& one) {
  const auto hits = open_hits(one, true);
  return !hits.empty() && std::all_of(hits.begin(), hits.end(),
                                      [&](const Hits* hit) { return !hit->any_end && hit->pure_ack && !hit->syn; });
}

}  // namespace

std::vector<std::string> loss_doubts(const Case& one) {
  const auto& c = *one.complaint;
  const Who victim = c.victim, doer = other(victim);
  const auto& acts = one.conn.acts[doer];
  if ((!one.conn.wire || !one.wire_complete) && only_acknowledgements(one))
    return {"whether the acknowledgements that were eaten were made good is not known (wire: off or incomplete)"};
  std::uint32_t eaten = 0;
  for (const auto* hits : open_hits(one, true)) eaten += hits->count;
  if (only_acknowledgements(one) && c.then[victim].repeats > eaten)
    return {fmt::format("{} of the {}'s bytes, and {} eaten", plural(c.then[victim].repeats, "repetition"),
                        name_of(victim), plural(eaten, "acknowledgement"))};
  // Its FIN may be what was lost; and who is told of an error did not give up by himself.
  const auto departed = departure(one, doer);
  const bool ended_before =
      std::any_of(acts.closers.begin(), acts.closers.end(), [&](const Deed& deed) { return deed.start <= c.at.t; });
  const auto* dead = departed ? one.closer(doer).process : nullptr;
  const bool killed = dead && std::any_of(dead->signals.begin(), dead->signals.end(), [&](const SignalFacts& s) {
                        return s.sent.signal == dead->signal && s.at.t <= c.at.t;
                      });
  if (!c.deed || c.deed->error || ended_before || killed || (departed && departed.t <= c.at.t)) return {};
  const auto holders = one.holders(doer);
  const bool reads = one.reading() || std::any_of(holders.begin(), holders.end(),
                                                  [&](int pid) { return waits_for_bytes(one.facts.process(pid)); });
  const auto& own = one.conn.acts[victim].closers;
  const bool ended =
      std::any_of(own.begin(), own.end(), [&](const Deed& deed) { return writes_only(deed) && deed.end <= c.at.t; });
  const auto &due = c.then[doer], &asked = c.then[victim];
  const bool all_read = one.acts_known(doer) && one.acts_known(victim) && !due.writing && !asked.writing &&
                        due.written <= due.read && asked.written <= asked.read;
  const bool nothing_lost =
      one.acts_known(doer) && due.written <= due.read && !due.writing && c.deed->kind != Kind::write;
  if ((all_read && !(ended && reads)) || (nothing_lost && only_acknowledgements(one)))
    return {fmt::format("the {} had not written what the {} waited for", name_of(doer), name_of(victim))};
  if (victim != Who::client || reads) return {};
  if (asked.delivered > 0 && one.unaccepted().value_or(false)) return {"the server had not accepted the connection"};
  if (!one.acts_known(doer)) return {};
  if (asked.delivered > asked.read) return {"the server had not read what came before"};
  const auto since = (asked.open ? asked.open_since.t : one.conn.acts[victim].last_write.t) - acts.last_read.t;
  if (!acts.last_read || acts.last_write.t >= acts.last_read.t || since < kThinks) return {};
  return {fmt::format("the server had left what it read before unanswered for {}, and waited for no more",
                      span_text(since))};
}

std::vector<std::string> waiting_doubts(const Case& one, Who who) {
  std::vector<std::string> doubts;
  const auto& facts = one.facts;
  bool seen_running = false, stuck_in_io = false;
  for (const int pid : one.holders(who)) {
    const auto* process = facts.process(pid);
    if (!process) continue;
    if (process->at_end && process->at_end->state != "stopped" && process->at_end->state != "frozen")
      seen_running = true;
    for (const auto& [tid, deed] : process->inside)
      if (deed.kind == Kind::read || deed.kind == Kind::write || deed.kind == Kind::accept) stuck_in_io = true;
  }
  if (!seen_running)
    doubts.push_back(fmt::format("whether its process was stopped is not known (processes: {})",
                                 facts.on("processes") ? "not seen" : "off"));
  if (!facts.on("filters") && (stuck_in_io || !one.acts_known(who)))
    doubts.push_back("a filter that holds its call back would look the same (filters: off)");
  if (!one.acts_known(who)) doubts.push_back("what its calls returned is not known (system calls: off)");
  // A parent's copy of the descriptor keeps the connection open.
  if (const auto* signal = ended_one_of(one.conn.acts[who].users, one))
    doubts.push_back(fmt::format("process {}, which had served it, was sent {}", signal->sent.target,
                                 signal_title(signal->sent.signal)));
  for (const auto& snag : one.snags(who))
    if (!snag.trouble->filtered)
      doubts.push_back(fmt::format("{} had failed with {} before it", snag.trouble->deed.call,
                                   error_name(snag.trouble->deed.error)));
  return doubts;
}

}  // namespace lab::verdict
