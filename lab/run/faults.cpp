#include "run/faults.hpp"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace lab::run {

using report::FaultLine;
using scenario::Verb;

namespace {

// What the processes of one actor met.
struct Met {
  std::map<int, std::uint64_t> errors;        // errno of a failed step or call, how often
  std::map<int, std::uint64_t> signals;       // that ended one of its processes
  std::map<std::string, std::uint64_t> hits;  // limits the kernel itself reported ("cgroup.memory")
  bool calls_seen = false;                    // its failed calls could be seen at all
};

bool has_source(const Gathered& gathered, const std::string& name) {
  const auto& all = gathered.timeline.provenance.collectors;
  return std::any_of(all.begin(), all.end(), [&](const auto& c) { return c.name == name && c.on; });
}

// Children of a program are its actor's too: a call's pid is looked up among the starts, else the only actor with a
// program is meant.
Met what_met(const scenario::Actor& actor, const Gathered& gathered) {
  std::set<int> own, foreign;
  for (const auto& event : gathered.timeline.events)
    if (const auto* start = std::get_if<evidence::ProcessStart>(&event.what))
      (start->actor == actor.name ? own : foreign).insert(start->pid);
  Met met;
  met.calls_seen = actor.run.empty() || has_source(gathered, "syscalls");
  for (const auto& event : gathered.timeline.events) {
    if (const auto* step = std::get_if<evidence::StepDone>(&event.what)) {
      if (step->actor == actor.name && step->error) ++met.errors[step->error];
    } else if (const auto* exit = std::get_if<evidence::ProcessExit>(&event.what)) {
      if (exit->actor == actor.name && exit->signal && !exit->by_lab) ++met.signals[exit->signal];
    } else if (const auto* call = std::get_if<evidence::Call>(&event.what)) {
      if (!actor.run.empty() && call->error && !foreign.contains(call->pid)) ++met.errors[call->error];
    } else if (const auto* limit = std::get_if<evidence::LimitState>(&event.what)) {
      if (limit->hit && (own.contains(limit->pid) || limit->pid == 0)) ++met.hits[limit->name];
    } else if (const auto* sent = std::get_if<evidence::SignalSent>(&event.what)) {
      if (own.contains(sent->target) && sent->by_kernel) ++met.signals[sent->signal];
    }
  }
  return met;
}

// The marks a limit leaves: man setrlimit.
struct LimitMark {
  const char* name;
  bool (*set)(const scenario::Limits&);
  std::vector<int> errors, signals;
};
const std::vector<LimitMark>& limit_marks() {
  static const std::vector<LimitMark> marks = {
      {"nofile", [](const scenario::Limits& l) { return l.nofile.has_value(); }, {EMFILE}, {}},
      {"nproc", [](const scenario::Limits& l) { return l.nproc.has_value(); }, {EAGAIN}, {}},
      {"as", [](const scenario::Limits& l) { return l.as.has_value(); }, {ENOMEM}, {SIGSEGV}},
      {"fsize", [](const scenario::Limits& l) { return l.fsize.has_value(); }, {EFBIG}, {SIGXFSZ}},
      {"cpu", [](const scenario::Limits& l) { return l.cpu.has_value(); }, {}, {SIGXCPU, SIGKILL}},
  };
  return marks;
}

std::uint64_t sum(const std::map<int, std::uint64_t>& counts, const std::vector<int>& keys) {
  std::uint64_t total = 0;
  for (int key : keys)
    if (const auto at = counts.find(key); at != counts.end()) total += at->second;
  return total;
}

void add_limits(const scenario::Actor& actor, const Met& met, std::vector<FaultLine>& lines) {
  for (const auto& mark : limit_marks()) {
    if (!mark.set(actor.limits)) continue;
    const auto hit = met.hits.find(mark.name);
    const auto count =
        sum(met.errors, mark.errors) + sum(met.signals, mark.signals) + (hit == met.hits.end() ? 0 : hit->second);
    lines.push_back({.name = actor.name + ".limits." + mark.name,
                     .kind = "limit",
                     .fired = count > 0,
                     .count = count,
                     .unobserved = count == 0 && !met.calls_seen});
  }
}

void add_cgroup(const scenario::Actor& actor, const Met& met, std::vector<FaultLine>& lines) {
  const auto add = [&](bool set, const char* what) {
    if (!set) return;
    const auto hit = met.hits.find(std::string("cgroup.") + what);
    const auto count = hit == met.hits.end() ? 0 : hit->second;
    lines.push_back({.name = actor.name + ".cgroup." + what, .kind = "cgroup", .fired = count > 0, .count = count});
  };
  add(actor.cgroup.memory.has_value(), "memory");
  add(actor.cgroup.pids.has_value(), "pids");
  add(actor.cgroup.cpu.has_value(), "cpu");
}

std::uint64_t hits_of(const std::string& name, const Gathered& gathered) {
  std::uint64_t hits = 0, traced = 0;
  for (const auto& rule : gathered.rules)
    if (rule.name == name) hits += rule.packets;
  if (hits) return hits;
  for (const auto& event : gathered.timeline.events) {
    if (const auto* rule = std::get_if<evidence::RuleState>(&event.what);
        rule && rule->when == "end" && rule->name == name)
      hits += rule->packets;
    if (const auto* hit = std::get_if<evidence::TraceHit>(&event.what); hit && hit->name == name && hit->type == "rule")
      ++traced;
  }
  return std::max(hits, traced);  // a rule that was deleted meanwhile has only its traces
}

void add_rules(const std::vector<scenario::Rule>& rules, const Gathered& gathered, std::vector<FaultLine>& lines) {
  for (const auto& rule : rules) {
    if (!rule.is_fault()) continue;
    const auto hits = hits_of(rule.name, gathered);
    lines.push_back({.name = rule.name, .kind = "rule", .fired = hits > 0, .count = hits});
  }
}

// Rules of a whole ruleset are faults only where an expectation names them, and then it decides alone.
void add_named(const scenario::Scenario& scenario, const Gathered& gathered, std::vector<FaultLine>& lines) {
  for (const auto& wanted : scenario.expect.rules) {
    const auto known = [&](const auto& rule) { return rule.name == wanted.key; };
    if (std::any_of(scenario.firewall.rules.begin(), scenario.firewall.rules.end(), known)) continue;
    if (std::any_of(lines.begin(), lines.end(), [&](const auto& line) { return line.name == wanted.key; })) continue;
    const auto hits = hits_of(wanted.key, gathered);
    lines.push_back({.name = wanted.key, .kind = "rule", .fired = hits > 0, .count = hits});
  }
}

// Typed rules that an operator adds are faults from then on.
void add_operator(const scenario::Actor& actor, const scenario::Firewall& firewall, const Gathered& gathered,
                  std::vector<FaultLine>& lines) {
  for (const auto& step : actor.steps) {
    if (step.verb < Verb::add_rules) continue;
    std::uint64_t count = 0;
    for (const auto& done : gathered.operator_steps)
      if (done.actor == actor.name && done.step == step.source && done.outcome == "ok") ++count;
    lines.push_back({.name = step.source, .kind = "operator", .fired = count > 0, .count = count});
    if (step.verb == Verb::add_rules && !step.words.empty())
      if (const auto set = firewall.library.find(step.words[0]); set != firewall.library.end())
        add_rules(set->second.rules, gathered, lines);
  }
}

}  // namespace

std::vector<FaultLine> faults_of(const scenario::Scenario& scenario, const Gathered& gathered) {
  std::vector<FaultLine> lines;
  add_rules(scenario.firewall.rules, gathered, lines);
  for (const auto& actor : scenario.actors) {
    const auto met = what_met(actor, gathered);
    add_limits(actor, met, lines);
    add_cgroup(actor, met, lines);
    if (actor.role == scenario::Role::op) add_operator(actor, scenario.firewall, gathered, lines);
  }
  for (const auto& rule : gathered.seccomp)
    lines.push_back({.name = rule.name,
                     .kind = rule.kind,
                     .fired = rule.count > 0,
                     .count = rule.count,
                     .unobserved = rule.unobserved});
  add_named(scenario, gathered, lines);
  return lines;
}

bool missing(const FaultLine& fault, const scenario::Expect& expect) {
  if (fault.fired || fault.unobserved) return false;
  return std::none_of(expect.rules.begin(), expect.rules.end(),
                      [&](const auto& rule) { return rule.key == fault.name; });
}

}  // namespace lab::run
