#include "verdict/cause.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/bearing.hpp"
#include "verdict/names.hpp"
#include "verdict/tls.hpp"

namespace lab::verdict {

using What = Complaint::What;

Finding finding(const Case& one, std::string_view cause, std::int64_t at) {
  Finding result{.cause = cause, .at = at};
  result.effect = one.effects();
  return result;
}

namespace {

// It accepts, or the process that forked it does: a forking server's child connects for what its parent took in.
bool takes_in(const Facts& facts, const Process* process) {
  for (int hops = 0; process && hops < 4; ++hops) {
    if (process->accepts) return true;
    process = facts.process(process->parent);
  }
  return false;
}

}  // namespace

std::string by_text(const Case& one, Who who) {
  for (const int pid : one.holders(who))
    if (const auto* process = one.facts.process(pid); process && process->connects && takes_in(one.facts, process))
      return "proxy";
  return name_of(who);
}

Culprit rule_culprit(const Facts& facts, const Hits& hits) {
  Culprit culprit{.kind = "rule",
                  .name = hits.name,
                  .table = hits.key.table,
                  .chain = hits.key.chain,
                  .hook = hits.hook,
                  .family = hits.key.family,
                  .text = hits.text,
                  .handle = hits.key.handle};
  if (const auto at = facts.rules.find(hits.key); at != facts.rules.end()) {
    const auto& state = at->second.state;
    if (culprit.text.empty()) culprit.text = state.text;
    if (culprit.text != state.text) return culprit;  // loaded since, under the same handle
    if (culprit.name.empty()) culprit.name = state.name;
    if (culprit.hook.empty()) culprit.hook = state.hook;
    culprit.place = state.file;
  }
  if (hits.type == "policy" && culprit.name.empty()) culprit.name = fmt::format("policy of chain {}", hits.key.chain);
  return culprit;
}

Culprit process_culprit(const Process* process, std::string detail) {
  Culprit culprit{.kind = "process", .detail = std::move(detail)};
  if (!process) return culprit;
  culprit.name = process->program.empty() ? process->label : process->program;
  culprit.pid = process->pid;
  return culprit;
}

std::string outcome_text(const Case& one) {
  if (!one.complaint) return "both ends ended as they meant to";
  const auto& c = *one.complaint;
  const char* end = name_of(c.victim);
  const auto& deed = c.deed;
  const auto waited = [&] { return span_text(deed->end - deed->start); };
  switch (c.what) {
    case What::no_connect:
      if (deed && deed->error == EINPROGRESS) return fmt::format("the {}'s connect was never answered", end);
      if (deed && deed->error) return fmt::format("the {}'s connect failed with {}", end, error_name(deed->error));
      if (deed && deed->timed_out) return fmt::format("the {}'s connect timed out after {}", end, waited());
      return fmt::format("the {} never got a connection", end);
    case What::eof:
      if (!deed && refused(one.conn, other(c.victim))) return fmt::format("the {} got no TLS session", end);
      return fmt::format("the {} read end of file where it was owed more", end);
    case What::reset:
      return fmt::format("the {} got {}", end, deed ? error_name(deed->error) : "a reset");
    case What::cut:
      return fmt::format("the {} was sent a reset", end);
    case What::starved:
      if (deed && deed->error) return fmt::format("the {} got {} after {}", end, error_name(deed->error), waited());
      if (deed && deed->timed_out) return fmt::format("the {} waited {} in vain", end, waited());
      if (deed) return fmt::format("the {} was still waiting when the run ended", end);
      return fmt::format("the {} waited in vain", end);
    case What::failed:
      return fmt::format("the {}'s {} failed with {}", end, deed ? deed->call : "call",
                         deed ? error_name(deed->error) : "an error");
    case What::died:
      return fmt::format("the {}'s process died with the connection open", end);
  }
  return {};
}

namespace {

// What had been sent to it was lost on its way when it closed.
bool lost_towards(const Case& one, Who who) {
  if (!one.conn.at_closing) return false;
  const auto& then = (*one.conn.at_closing)[other(who)];
  const auto& stream = one.conn.stream[other(who)];
  const auto eaten = [&](const Hits& hits) {
    return hits.open_first && hits.from == other(who) && hits.data && hits.open_seq - (stream.isn + 1) < then.written;
  };
  if (stream.syns && std::any_of(one.conn.hits.begin(), one.conn.hits.end(), eaten)) return true;
  const bool never_left = one.wire_complete && one.conn.wire && one.acts_known(other(who)) &&
                          then.written > then.sent && !then.writing && one.conn.stream[who].window != 0;
  return (then.open && then.repeats) || never_left;
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

// A child of a holder's that a signal killed while the connection was open, before it was closed.
const Process* killed_child(const Case& one, Who who, const Closer& closer) {
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    for (const int child : process->children)
      if (const auto* of = one.facts.process(child); of && of != closer.process && of->signal && of->exited &&
                                                     !of->by_lab && of->exited.t >= one.conn.began.t &&
                                                     of->exited.t <= one.until())
        return of;
  }
  return nullptr;
}

// It had waited for something that was lost, or for an answer from further on.
std::vector<std::string> waited_doubts(const Case& one, Who who, const Closer& closer) {
  std::vector<std::string> doubts;
  if (lost_towards(one, who))
    doubts.push_back(fmt::format("what the {} had sent was lost on its way, and the {} may have waited for it",
                                 name_of(other(who)), name_of(who)));
  if (const auto* child = killed_child(one, who, closer))
    doubts.push_back(fmt::format("its child process {} had been ended by {}", child->pid, signal_title(child->signal)));
  if (who == Who::server)
    if (const auto* conn = unanswered_onwards(one))
      doubts.push_back(
          fmt::format("it had asked {} and may have waited for the answer", evidence::to_string(conn->server)));
  return doubts;
}

}  // namespace

std::vector<std::string> closing_doubts(const Case& one, Who who, const Closer& closer) {
  auto doubts = waited_doubts(one, who, closer);
  if (!closer.sure && one.acts_known(who))
    doubts.push_back(fmt::format("which of those that held the {}'s end let go of it last is not known", name_of(who)));
  else if (!closer.sure)
    doubts.push_back(fmt::format("what the {}'s process did is not known (system calls: {})", name_of(who),
                                 one.facts.on("syscalls") ? "nothing of it seen" : "off"));
  if (!one.closing.any && one.complaint && one.complaint->what != What::eof)
    doubts.push_back(one.facts.on("wire") ? "no closing segment reached the wire" : "the wire was not watched");
  if (one.closing.any && !one.closing.fin && one.closing.builder != Closing::Builder::tcp)
    doubts.push_back("nothing says that the end's own TCP built the reset (counters or kernel would)");
  // A segment and a call are both told of by the kernel's clock.
  constexpr std::int64_t slack = 10'000'000;
  if (one.closing.any && one.gone() && one.complaint->deed && one.closing.at.t > one.complaint->at.t + slack)
    doubts.push_back(fmt::format("the {}'s call had come back {} before it", name_of(one.complaint->victim),
                                 span_text(one.closing.at.t - one.complaint->at.t)));
  for (auto& failure : failures_before(one, who)) doubts.push_back(std::move(failure));
  return doubts;
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
  for (const auto& snag : one.snags(who))
    if (!snag.trouble->filtered)
      doubts.push_back(fmt::format("{} had failed with {} before it", snag.trouble->deed.call,
                                   error_name(snag.trouble->deed.error)));
  return doubts;
}

namespace {

// Whether a loss came before the victim gave up. The rule trace has no time of its own: what was written or closed by
// then decides where that is known, else a read that is not late.
bool in_time(const Case& one, const Hits& hits) {
  constexpr std::int64_t read_late = 50'000'000;
  const auto until = one.until();
  if (!hits.open_first.read_time) return hits.open_first.t <= until;
  const auto& stream = one.conn.stream[hits.from];
  const auto& acts = one.conn.acts[hits.from];
  const bool soon = hits.open_first.t <= until + read_late;
  if (!one.complaint) return soon;
  const auto& then = one.complaint->then;
  const bool icmp_only = hits.icmp == hits.count;
  if (icmp_only || hits.syn) return soon;
  if (hits.data) {
    if (!stream.syns || !one.acts_known(hits.from) || then[hits.from].writing) return soon;
    if (hits.open_seq - (stream.isn + 1) < then[hits.from].written) return true;
  }
  if (hits.pure_ack && soon &&
      (then[other(hits.from)].open || !one.conn.stream[other(hits.from)].answered || hits.probes))
    return true;
  const bool closed =
      std::any_of(acts.closers.begin(), acts.closers.end(), [&](const Deed& d) { return d.start < until; });
  return ((hits.fin || hits.rst) && soon && hits.from != one.victim()) || (hits.fin && closed);
}

}  // namespace

std::vector<const Hits*> open_hits(const Case& one, bool rules) {
  std::vector<const Hits*> all;
  for (const auto& hits : one.conn.hits)
    if (hits.rule == rules && hits.open_first && in_time(one, hits)) all.push_back(&hits);
  std::sort(all.begin(), all.end(), [](const Hits* a, const Hits* b) { return a->open_first.t < b->open_first.t; });
  return all;
}

const std::vector<const Cause*>& table() {
  static const auto all = [] {
    std::vector<const Cause*> list;
    for (const auto& part : {application_causes(), limits_causes(), firewall_causes(), seccomp_causes(),
                             kernel_causes(), network_causes(), connect_causes()})
      for (const auto& one : part) list.push_back(&one);
    return list;
  }();
  return all;
}

const Cause* cause(std::string_view name) {
  const auto at = std::find_if(table().begin(), table().end(), [&](const Cause* c) { return c->name == name; });
  return at == table().end() ? nullptr : *at;
}

const std::vector<CauseEntry>& causes() {
  static const auto all = [] {
    std::vector<CauseEntry> list{{"none", "both sides ended it as they meant to, or it is still healthy"}};
    for (const auto* one : table()) list.push_back({one->name, one->meaning});
    list.push_back({"unknown", "the evidence does not say"});
    return list;
  }();
  return all;
}

}  // namespace lab::verdict
