#include "verdict/arbiter.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "verdict/bearing.hpp"
#include "verdict/deeds.hpp"
#include "verdict/ending.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

std::vector<Finding> hear(const Case& one) {
  std::vector<Finding> all;
  for (const auto* entry : table())
    if (entry->find)
      if (auto found = entry->find(one); found && found->status() != Status::unknown) all.push_back(std::move(*found));
  return all;
}

// An effect that lies clearly before its mechanism is no effect of it.
bool in_order(const Finding& finding) {
  if (finding.mechanism.empty() || finding.effect.empty()) return true;
  constexpr std::int64_t read_late = 100'000'000;
  const auto earliest = std::min_element(finding.mechanism.begin(), finding.mechanism.end(), [](auto& a, auto& b) {
                          return a.t < b.t;
                        })->t;
  const auto latest =
      std::max_element(finding.effect.begin(), finding.effect.end(), [](auto& a, auto& b) { return a.t < b.t; })->t;
  return earliest <= latest + read_late || finding.at <= latest + read_late;
}

// The contract's rule: the earliest event that the end which closed or gave up did not choose; with none, what it did.
Finding* choose(std::vector<Finding>& all) {
  for (auto& f : all)
    if (!in_order(f)) f.doubts.push_back("its effect was seen before it");
  std::stable_sort(all.begin(), all.end(), [](const Finding& a, const Finding& b) {
    if (a.chosen != b.chosen) return !a.chosen;
    if (a.status() != b.status()) return a.status() > b.status();
    if (a.chosen) return a.mechanism.size() > b.mechanism.size();
    return a.at < b.at;
  });
  if (all.empty()) return nullptr;
  auto& best = all.front();
  // Something earlier that may have been at the root of it, and could not be excluded.
  for (const auto& other : all)
    if (&other != &best && !other.chosen && !best.chosen && other.cause != best.cause &&
        other.status() == Status::likely && other.at < best.at && !other.mechanism.empty())
      best.doubts.push_back(fmt::format("{} may have come first", other.cause));
  return &best;
}

std::vector<Because> reasons(const Finding& finding) {
  std::vector<Because> all;
  const auto add = [&](const Record& r) {
    const bool known =
        std::any_of(all.begin(), all.end(), [&](const Because& b) { return b.source == r.source && b.text == r.text; });
    if (!known) all.push_back({r.source, r.text, r.events});
  };
  for (const auto& r : finding.mechanism) add(r);
  for (const auto& r : finding.effect) add(r);
  for (const auto& doubt : finding.doubts) all.push_back({"not excluded", doubt, {}});
  return all;
}

std::vector<RuledOut> exclusions(const Case& one, std::string_view chosen) {
  std::vector<RuledOut> all;
  for (const auto* entry : table()) {
    if (entry->name == chosen || !entry->rule_out) continue;
    if (auto why = entry->rule_out(one); !why.empty()) all.push_back({std::string(entry->name), std::move(why)});
  }
  return all;
}

Decision undecided(const Case& one) {
  Decision d;
  auto& v = d.verdict;
  v.summary = fmt::format("The evidence does not say why: {}", outcome_text(one));
  for (const auto& r : one.effects()) v.because.push_back({r.source, r.text, r.events});
  v.ruled_out = exclusions(one, "unknown");
  v.next = missing_sources(one.facts);
  return d;
}

}  // namespace

Decision decide(const Case& one) {
  if (!one.complaint) return healthy(one);
  auto all = hear(one);
  auto* best = choose(all);
  if (!best) return one.complaint->left ? healthy(one) : undecided(one);
  if (one.complaint->left) best->doubts.push_back("nothing tells that the client had waited for what it asked");
  Decision d;
  d.by = best->by;
  auto& v = d.verdict;
  v.cause = best->cause;
  v.status = best->status();
  v.summary = best->summary;
  v.culprit = best->culprit;
  v.because = reasons(*best);
  v.ruled_out = exclusions(one, best->cause);
  if (const auto* entry = cause(best->cause))
    for (const auto next : entry->next) v.next.emplace_back(next);
  if (v.status != Status::confirmed)
    for (auto& missing : missing_sources(one.facts)) v.next.push_back(std::move(missing));
  return d;
}

namespace {

bool serves(const Process& process) { return process.accepts || !process.serves.empty(); }

// It went on for longer than giving up takes, and then ended or was still there. A program of steps ends at a failure.
bool tolerated(const Facts& facts, const Process& process, const Trouble& trouble) {
  const bool errs = !trouble.filtered || trouble.filter_action == "errno";
  if (!errs || trouble.deed.step || trouble.deed.kind == Kind::connect) return false;
  if (!process.exited || process.by_lab) return trouble.deed.kind != Kind::spawn;
  const auto& last = process.last;
  const bool exits = last && last->kind == Kind::exit;
  const auto& failed = trouble.deed;
  const auto end = exits ? last->start : process.exited.t;
  const auto passed = end - failed.end;
  const bool only_waited = exits && undisturbed(facts, process, failed.end, end);
  const auto queued = only_waited ? queued_between(failed, *last) : 0;
  return passed - queued > kGivesUp || passed > kTolerated;
}

bool kept(const Process& process, const Trouble& trouble) {
  return !trouble.made_good && !serves(process) && (trouble.filtered || shortage(trouble.deed));
}

// A call that failed before the first connect, for want of something or because a filter said so.
std::optional<Decision> kept_from_connecting(const Facts& facts) {
  for (const auto& [pid, process] : facts.processes)
    for (const auto& trouble : process.troubles) {
      const auto& deed = trouble.deed;
      if (!kept(process, trouble) || tolerated(facts, process, trouble)) continue;
      Decision d;
      auto& v = d.verdict;
      d.by = "client";
      v.cause = trouble.filtered           ? (trouble.filter_action == "stall"   ? "seccomp/stalled"
                                              : trouble.filter_action == "errno" ? "seccomp/errno"
                                                                                 : "seccomp/killed")
                : deed.kind == Kind::spawn ? "limits/processes"
                : deed.error == ENOMEM     ? "limits/memory"
                : deed.error == EFBIG      ? "limits/file-size"
                                           : "limits/descriptors";
      const bool parted = trouble.filtered || facts.complete("filters");
      v.status = parted && facts.complete("wire") ? Status::confirmed : Status::likely;
      const auto text = fmt::format("{}: {} → {}", process_text(&process), deed.call,
                                    deed.error ? error_name(deed.error) : trouble.filter_action);
      v.because.push_back({trouble.filtered ? "filters"
                           : deed.step      ? "actors"
                                            : "syscalls",
                           text,
                           {trouble.filter_at ? trouble.filter_at.event : deed.mark.event}});
      if (facts.complete("wire")) v.because.push_back({"wire", "no SYN was seen", {}});
      v.culprit = {.kind = "call",
                   .name = deed.call,
                   .pid = pid,
                   .detail = deed.error ? error_name(deed.error) : trouble.filter_action};
      v.summary =
          deed.kind == Kind::connect
              ? fmt::format("The client's connect never left: a filter answered it with {}", v.culprit.detail)
              : fmt::format("The client never got as far as connect: {} failed with {}", deed.call, v.culprit.detail);
      if (const auto* entry = cause(v.cause))
        for (const auto next : entry->next) v.next.emplace_back(next);
      return d;
    }
  return std::nullopt;
}

// It or a child of it listens: a shell that started the server is no client.
bool is_server(const Facts& facts, int pid, int hops = 0) {
  const auto* process = facts.process(pid);
  if (!process || hops > 4) return false;
  if (process->accepts) return true;
  const bool listens = std::any_of(facts.listeners.begin(), facts.listeners.end(),
                                   [&](const Listener& l) { return l.pids.count(pid) > 0; });
  return listens || std::any_of(process->children.begin(), process->children.end(),
                                [&](int child) { return is_server(facts, child, hops + 1); });
}

}  // namespace

Decision decide_without_connections(const Facts& facts) {
  Decision d;
  auto& v = d.verdict;
  const auto* entry = cause("connect/never-tried");
  if (auto found = kept_from_connecting(facts)) return *found;
  if (facts.any_connect || facts.unstarted || !facts.on("wire")) {
    v.summary = facts.unstarted ? "No connection was seen: the run ended before every program was started"
                                : "No connection was seen";
    for (const auto next : entry->next) v.next.emplace_back(next);
    for (auto& missing : missing_sources(facts)) v.next.push_back(std::move(missing));
    return d;
  }
  v.cause = "connect/never-tried";
  d.by = "client";
  v.summary = "Nobody tried to open a TCP connection";
  if (facts.complete("wire")) v.because.push_back({"wire", "no SYN was seen", {}});
  bool known = false, unfinished = false;
  for (const auto& [pid, process] : facts.processes) {
    if (!process.started || is_server(facts, pid)) continue;
    v.summary = "The client never tried to open a TCP connection";
    known |= process.steps || (process.calls && facts.complete("syscalls"));
    unfinished |= !process.exited || process.by_lab;
    if (process.exited && !process.by_lab) {
      const auto how = process.signal ? signal_title(process.signal) : fmt::format("status {}", process.status);
      v.because.push_back({"actors",
                           fmt::format("{} ended with {} and had not connected", process_text(&process), how),
                           {process.exited.event}});
      v.culprit = {.kind = "process",
                   .name = process.program.empty() ? process.label : process.program,
                   .pid = pid,
                   .detail = how};
    }
  }
  for (const auto& [pid, process] : facts.processes)
    for (const auto& trouble : process.troubles)
      if (kept(process, trouble)) {
        known = false;
        v.because.push_back(
            {"not excluded",
             fmt::format("{} had failed with {} before it", trouble.deed.call, error_name(trouble.deed.error)),
             {}});
      }
  if (unfinished)
    v.because.push_back({"not excluded", "it had not ended when the run did: it may have tried later", {}});
  v.status = known && !unfinished && facts.complete("wire") ? Status::confirmed : Status::likely;
  if (facts.listeners.empty() && facts.on("sockets")) v.summary += ", and nobody listened";
  for (const auto next : entry->next) v.next.emplace_back(next);
  if (v.status != Status::confirmed)
    for (auto& missing : missing_sources(facts)) v.next.push_back(std::move(missing));
  return d;
}

}  // namespace lab::verdict
