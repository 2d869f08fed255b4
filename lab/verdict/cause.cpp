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
      if (!deed && alerted(one.conn, other(c.victim), c.at.t)) return fmt::format("the {} got no TLS session", end);
      return fmt::format("the {} read end of file where it was owed more", end);
    case What::reset:
      return fmt::format("the {} got {}", end, deed ? error_name(deed->error) : "a reset");
    case What::cut:
      return fmt::format("the {} was sent a reset", end);
    case What::starved:
      if (deed && deed->error) return fmt::format("the {} got {} after {}", end, error_name(deed->error), waited());
      if (deed && deed->timed_out) return fmt::format("the {} waited {} in vain", end, waited());
      if (deed) return fmt::format("the {} was still waiting when the run ended", end);
      if (c.left) return fmt::format("the {} ended the connection without what it had asked for", end);
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
    if (written_by(one.conn, hits, then)) return true;
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
  for (const auto& hits : one.hits)
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
