#include "verdict/case.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "verdict/ending.hpp"
#include "verdict/kept_from.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {

using What = Complaint::What;

Record record(std::string source, std::string text, const Mark& mark) {
  Record one{.source = std::move(source), .text = std::move(text), .events = {}, .t = mark.t};
  if (mark) one.events.push_back(mark.event);
  return one;
}

Record record(std::string source, std::string text, const Mark& first, const Mark& last) {
  auto one = record(std::move(source), std::move(text), first);
  if (last && last.event != first.event) one.events.push_back(last.event);
  return one;
}

std::string way(Who from) { return fmt::format("{} to {}", name_of(from), name_of(other(from))); }

std::string process_text(const Process* process) {
  if (!process) return "its process";
  const auto& name = process->program.empty() ? process->label : process->program;
  return name.empty() ? fmt::format("process {}", process->pid) : fmt::format("{} (process {})", name, process->pid);
}

std::string deed_text(Who who, const Deed& deed) {
  std::string outcome = "ok";
  if (deed.pending)
    outcome = "still waiting at the end";
  else if (deed.timed_out)
    outcome = fmt::format("timeout after {}", span_text(deed.end - deed.start));
  else if (deed.error)
    outcome = error_name(deed.error);
  else if (deed.eof && deed.bytes <= 0)
    outcome = "end of file";
  else if (deed.bytes >= 0)
    outcome = plural(static_cast<std::uint64_t>(deed.bytes), "byte");
  return fmt::format("{}: {} → {}", name_of(who), deed.shown, outcome);
}

const char* told_by(const Deed& deed) { return deed.step ? "actors" : "syscalls"; }

Record deed_record(Who who, const Deed& deed) { return record(told_by(deed), deed_text(who, deed), deed.mark); }

namespace {

// Read by then, whatever became of its acknowledgement.
bool was_read(const Case& one, const Hits& hits) {
  const auto& stream = one.conn.stream[hits.from];
  return one.complaint && hits.data && stream.syns &&
         hits.open_seq - (stream.isn + 1) < one.complaint->then[hits.from].read;
}

}  // namespace

Case::Case(const Facts& all, const Conn& which) : facts(all), conn(which), hits(which.hits) {
  wire_complete = facts.complete("wire");
  closing = first = first_closing(*this);
  complaint = first_complaint(*this);
  closing = decisive_closing(*this);
  const bool tcp_gave_up = complaint && complaint->deed && complaint->deed->error == ETIMEDOUT;
  for (auto& one : hits)
    if (auto then = as_of(one, until()); (one.any_end || (tcp_gave_up && !one.probes)) && !was_read(*this, then) &&
                                         (then.open_first.t <= until() || acts_known(one.from)))
      one = std::move(then);
}

bool Case::gone() const {
  return complaint && (complaint->what == What::eof || complaint->what == What::reset || complaint->what == What::cut ||
                       complaint->what == What::died);
}
bool Case::starved() const { return complaint && complaint->what == What::starved; }
bool Case::unconnected() const { return complaint && complaint->what == What::no_connect; }

namespace {

// A filter, not the network, failed the client's connect.
bool failed_by_filter(const Case& one) {
  const auto snags = one.snags(Who::client);
  return std::any_of(snags.begin(), snags.end(), [](const auto& snag) { return snag.trouble->filtered; });
}

}  // namespace

Who Case::doer() const {
  if (!complaint) return Who::client;
  if (complaint->what == What::failed || complaint->what == What::died) return complaint->victim;
  if (complaint->what == What::no_connect && failed_by_filter(*this)) return complaint->victim;
  if (gone() && closing.any && !closing.foreign()) return closing.from;
  const auto& deed = complaint->deed;
  if (deed && deed->pending && held_in(*this, complaint->victim, *deed)) return complaint->victim;
  return other(complaint->victim);
}

std::int64_t Case::until() const {
  if (!complaint) return facts.last_ns;
  return std::max(complaint->at.t, gone() && closing.any ? closing.at.t : 0);
}

const Listener* Case::listener() const {
  const Listener* best = nullptr;
  for (const auto& one : facts.listeners) {
    if (one.local.port != conn.server.port || one.local.family != conn.server.family) continue;
    const bool any_address = std::all_of(one.local.ip.begin(), one.local.ip.end(), [](auto b) { return b == 0; });
    if (!any_address && one.local.ip != conn.server.ip) continue;
    best = &one;
  }
  if (best) return best;
  // A wildcard IPv6 listener serves IPv4 too.
  for (const auto& one : facts.listeners)
    if (one.local.port == conn.server.port && one.local.family == 6 &&
        one.options.find("v6only") == std::string::npos &&
        std::all_of(one.local.ip.begin(), one.local.ip.end(), [](auto b) { return b == 0; }))
      return &one;
  return nullptr;
}

bool Case::loopback() const {
  return std::all_of(facts.wire_namespaces.begin(), facts.wire_namespaces.end(), [](auto& n) { return n.empty(); });
}

// A look is told by when it was asked, and may meet what came a moment later.
std::optional<std::int64_t> Case::opened_at() const {
  const auto& opening = conn.opening;
  if (!opening.at) return std::nullopt;
  auto fin = conn.stream.client.fin.t;
  if (!fin && !conn.acts.client.closers.empty()) fin = conn.acts.client.closers.front().start;
  return opening.closing ? std::max(opening.at.t, fin) : opening.at.t;
}

bool Case::kept_in_syn_recv() const {
  const auto opened = opened_at();
  if (conn.opening.exact) return *opened > until();
  // A look that met the handshake itself proves nothing.
  const auto& last_ack = conn.stream.server.acked_first;
  const bool seen = conn.in_syn_recv && !(last_ack && conn.in_syn_recv.t < last_ack.t);
  return seen && (!opened || *opened > until());
}

std::optional<bool> Case::unaccepted() const {
  if (complaint && conn.acts.server.accepted && conn.acts.server.accepted.t > until()) return true;
  if (conn.acts.server.accepted || conn.acts.server.last_read || conn.acts.server.last_write ||
      !conn.acts.server.closers.empty())
    return false;
  if (!conn.holders.server.empty()) return false;
  for (const auto* seen : {&conn.socket.server, &conn.before.server})
    if (*seen && (*seen)->state.inode != 0) return false;
  // An orphan has no inode either: only a socket that nobody has closed yet is certainly un-accepted.
  if (conn.socket.server && conn.socket.server->state.inode == 0) {
    const auto& state = conn.socket.server->state.state;
    if (state == "ESTABLISHED" || state == "CLOSE_WAIT" || state == "SYN_RECV") return true;
  }
  if (acts_known(Who::server)) return true;
  const auto* queue = listener();
  if (queue && queue->waiting > 0 && facts.conns.size() == 1) return true;
  return std::nullopt;
}

std::optional<Deed> Case::reading() const {
  if (!complaint) return std::nullopt;
  const auto& pending = conn.acts[other(complaint->victim)].pending;
  if (pending && pending->kind == Kind::read && pending->start <= complaint->at.t) return pending;
  return complaint->facing;
}

bool Case::just_reached(Who reader) const {
  constexpr std::int64_t kWakes = 50'000'000;
  if (!complaint || reader != other(complaint->victim) || !reading()) return false;
  const auto& last = conn.socket[reader];
  const auto& sent = conn.stream[complaint->victim];
  return last && sent.taken && sent.fresh && std::abs(last->at.t - sent.fresh.t) <= kWakes;
}

bool Case::accepted() const { return unaccepted() == std::optional(false); }

bool listens_for(const Address& listener, const Address& wanted) {
  const bool any_address = std::all_of(listener.ip.begin(), listener.ip.end(), [](auto byte) { return byte == 0; });
  return listener.port == wanted.port && (any_address || listener.ip == wanted.ip);
}

namespace {

// Whoever accepts on that address, as far as sockets or calls tell; else whoever accepts at all.
std::set<int> servers_of(const Facts& facts, const Conn& conn, const Listener* listener) {
  std::set<int> all;
  if (listener) all = listener->pids;
  for (const auto& [pid, process] : facts.processes)
    if (std::any_of(process.serves.begin(), process.serves.end(),
                    [&](const Address& a) { return listens_for(a, conn.server); }))
      all.insert(pid);
  if (!all.empty()) return all;
  for (const auto& [pid, process] : facts.processes) {
    const auto accepts = [](const Deed& deed) { return deed.kind == Kind::accept; };
    const bool waits =
        std::any_of(process.inside.begin(), process.inside.end(), [&](const auto& in) { return accepts(in.second); });
    const bool tried = std::any_of(process.troubles.begin(), process.troubles.end(),
                                   [&](const Trouble& t) { return accepts(t.deed); });
    if (process.accepts || waits || tried) all.insert(pid);
  }
  return all;
}

}  // namespace

std::set<int> Case::holders(Who who) const {
  std::set<int> all = conn.acts[who].pids;
  all.insert(conn.holders[who].begin(), conn.holders[who].end());
  return all.empty() && who == Who::server ? servers_of(facts, conn, listener()) : all;
}

bool Case::acts_known(Who who) const {
  const auto pids = holders(who);
  return std::any_of(pids.begin(), pids.end(), [&](int pid) {
    const auto* process = facts.process(pid);
    if (!process) return false;
    return (process->steps && facts.on("actors")) || (process->calls && facts.complete("syscalls"));
  });
}

namespace {

// An accept that failed until something was let go of for it: what it then got was taken only to be closed.
bool taken_to_be_closed(const Conn& conn, const Trouble& trouble) {
  const auto& acts = conn.acts.server;
  return trouble.deed.kind == Kind::accept && trouble.deed.end >= conn.began.t && acts.accepted &&
         acts.accepted.event == trouble.made_good.event && acts.users.empty();
}

}  // namespace

std::vector<Case::Snag> Case::snags(Who who) const {
  std::vector<Snag> all;
  const auto last_good = std::max(conn.acts[who].last_read.t, conn.acts[who].last_write.t);
  const auto index = index_of(*this);
  const bool waits_in_queue = who == Who::server && unaccepted().value_or(false);
  for (const int pid : holders(who)) {
    const auto* process = facts.process(pid);
    if (!process) continue;
    const bool ended = process->exited && !process->by_lab;
    for (const auto& trouble : process->troubles) {
      const auto t = trouble.filter_at ? trouble.filter_at.t : trouble.deed.end;
      const bool for_nothing = who == Who::server && taken_to_be_closed(conn, trouble);
      // What works when the victim has given up comes too late to forgive.
      const bool forgiven = trouble.made_good && trouble.made_good.t <= until() && !for_nothing;
      if (forgiven || t > until() + 1'000'000) continue;
      bool counts = false;
      if (trouble.conn != Mark::nowhere)
        counts = trouble.conn == index ? trouble.who == who : ended && t >= conn.began.t;
      else if (trouble.deed.kind == Kind::accept)
        counts = waits_in_queue || for_nothing || (ended && t >= conn.began.t && t >= last_good);
      else
        counts = t >= conn.began.t && t >= last_good;
      if (counts) all.push_back({process, &trouble});
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Snag& a, const Snag& b) { return a.trouble->deed.end < b.trouble->deed.end; });
  return all;
}

std::string closes_text(const Closing& closing, const Case& one) {
  if (!closing.any) return one.facts.on("wire") ? "none" : "unknown";
  const char* segment = closing.fin ? "FIN" : "RST";
  switch (closing.builder) {
    case Closing::Builder::firewall:
      return fmt::format("firewall {}", segment);
    case Closing::Builder::injected:
      return fmt::format("injected {}", segment);
    case Closing::Builder::foreign:
      return fmt::format("foreign {}", segment);
    default:
      return fmt::format("{} {}", name_of(closing.from), segment);
  }
}

}  // namespace lab::verdict
