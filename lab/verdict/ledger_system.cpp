// Processes and the system around the connections.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <iterator>

#include "verdict/ledger.hpp"

namespace lab::verdict {

void Ledger::take(const evidence::Counter& counter, Mark mark) {
  auto& one = facts_.counters[counter.netns][counter.name];
  one.change += counter.change;
  one.at = mark;
}

void Ledger::take(const evidence::ProcessStart& start, Mark mark) {
  auto& one = process(start.pid);
  one.started = mark;
  one.label = start.actor.empty() ? start.role : start.actor;
  one.program = start.program;
  one.given = start.limits;
}

void Ledger::take(const evidence::ProcessExit& exit, Mark mark) {
  auto& one = process(exit.pid);
  one.exited = mark;
  one.exit_begun = false;
  one.status = exit.status;
  one.signal = exit.signal;
  one.by_lab = exit.by_lab;
}

void Ledger::take(const evidence::SignalSent& sent, Mark mark) {
  if (sent.by_lab && facts_.stopping) return;  // it clears away; before that it was told to
  auto& one = process(sent.target);
  if (one.signals.size() < 32) one.signals.push_back({sent, mark});
  if (sent.signal == SIGCONT && one.stopped && !one.resumed) one.resumed = mark;
  if (sent.signal == SIGSTOP && !one.stopped) {
    one.stopped = mark;
    one.resumed = {};
    one.stop_state = "stopped";
  }
}

void Ledger::take(const evidence::ProcessState& state, Mark mark) {
  auto& one = process(state.pid);
  // /proc shows "t" for a task that its tracer holds, stopped by a signal or not (fs/proc/array.c).
  if (state.state == "traced" && one.at_end) return;
  const bool stopped = state.state == "stopped" || state.state == "frozen";
  if (stopped && (!one.stopped || one.resumed)) {
    one.stopped = mark;
    one.resumed = {};
    one.stop_state = state.state;
  } else if (stopped) {
    one.stop_state = state.state;
  } else if (one.stopped && !one.resumed) {
    one.resumed = mark;
  }
  one.at_end = state;
  one.at_end_mark = mark;
}

void Ledger::take(const evidence::LimitState& limit, Mark mark) {
  auto& one = process(limit.pid).limits[limit.name];
  const bool hit = one.state.hit || limit.hit;
  if (limit.name == "cgroup.cpu") one.counts[mark.t] = limit.used;
  // What was used when it was hit matters more than what is used after it.
  if (!one.at || limit.hit || !one.state.hit) {
    one.state = limit;
    if (!one.at || limit.hit) one.at = mark;
  }
  one.state.hit = hit;
}

void Ledger::take(const evidence::Change& change, Mark mark) {
  if (facts_.changes.size() < 4096) facts_.changes.push_back({change, mark});
}

void Ledger::take(const evidence::SystemFact& fact, Mark mark) {
  if (facts_.facts.size() < 4096) facts_.facts.push_back({fact, mark});
}

void Ledger::take(const evidence::Milestone& milestone, Mark mark) {
  if (milestone.what == "clients-ended") facts_.clients_ended = mark;
  if (milestone.what == "unstarted") facts_.unstarted = mark;
  if (milestone.what == "stopping" && !facts_.stopping) facts_.stopping = mark;
}

namespace {

// The default action is the end of the process. A program can handle most of them, and what it then does are calls.
bool deadly(int signal) {
  static constexpr int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU};
  return std::find(std::begin(harmless), std::end(harmless), signal) == std::end(harmless);
}

// The last one that came before the connection ended.
const SignalFacts* deadly_before(const Process& process, std::int64_t t) {
  const SignalFacts* found = nullptr;
  for (const auto& one : process.signals)
    if (deadly(one.sent.signal) && one.at.t <= t) found = &one;
  return found;
}

// A kernel's filter can't count calls: lab, which can, sends the signal in its place. Unless filters are watched every
// such signal may be one.
void forget_filters_signals(Process& process, bool filters_watched) {
  const auto& all = process.troubles;
  const bool kills = std::any_of(all.begin(), all.end(), [](const Trouble& trouble) {
    const auto& action = trouble.filter_action;
    return trouble.filtered && trouble.filter_count && (action.starts_with("kill") || action == "trap");
  });
  if (kills || !filters_watched)
    std::erase_if(process.signals, [](const SignalFacts& s) { return s.sent.by_lab && s.sent.signal == SIGSYS; });
}

}  // namespace

// A child that its parent reaps ends without a word to us. One that met a deadly signal, called nothing after it and
// whose connection then came to an end is dead.
void Ledger::presume_dead(const Conn& conn, Who who) {
  const auto& stream = conn.stream[who];
  const auto& ended = stream.fin ? stream.fin : stream.rst;
  if (!ended || !facts_.complete("syscalls")) return;
  auto holders = conn.acts[who].users;
  holders.insert(conn.acts[who].doubled.begin(), conn.acts[who].doubled.end());
  for (const int pid : holders) {
    auto& one = process(pid);
    const auto* last = deadly_before(one, ended.t);
    // A zombie that nobody reaps is told of when all are ended; no program outlives a SIGKILL.
    const bool zombie = one.by_lab && last && last->sent.signal == SIGKILL;
    if ((one.exited && !zombie) || !one.parent || !last) continue;
    constexpr std::int64_t own_call = 1'000'000;  // kill(2) of itself returns behind the signal
    if (one.last && (one.last->pending ? one.last->start : one.last->end) > last->at.t + own_call) continue;
    one.exited = last->at;
    one.exit_begun = true;
    one.by_lab = false;
    one.signal = last->sent.signal;
  }
}

// FilterActs that failed a call nobody else saw keep what the filter said; nothing else is left open.
void Ledger::close() {
  for (auto& [pid, one] : facts_.processes) forget_filters_signals(one, facts_.complete("filters"));
  for (const auto& conn : facts_.conns)
    for (const Who who : {Who::client, Who::server}) presume_dead(conn, who);
  for (auto& conn : facts_.conns) forget_outlived(conn);
  for (auto& conn : facts_.conns)
    for (auto& hits : conn.hits)
      if (!still_missing(conn, hits)) hits.open_first = {};
}

// The one signal that no tracer sees arrive: whoever sent it has said so. 0 is the sender's own group.
void Ledger::killed(const evidence::Call& kill, Mark mark) {
  if (kill.error || (kill.name != "kill" && kill.name != "tkill" && kill.name != "tgkill")) return;
  const int named = std::atoi(kill.args.c_str()), target = named ? named : kill.pid;
  if (target <= 0 || (!kill.returned && target != kill.pid)) return;
  auto& all = process(target).signals;
  const bool told = std::any_of(all.begin(), all.end(), [](const SignalFacts& s) { return s.sent.signal == SIGKILL; });
  if (told || all.size() >= 32) return;
  mark.t = kill.start_ns ? kill.start_ns : mark.t;
  const auto& sender = process(kill.pid);
  const auto& name = sender.program.empty() ? sender.label : sender.program;
  all.push_back({{.signal = SIGKILL, .target = target, .sender = kill.pid, .sender_name = name}, mark});
}

}  // namespace lab::verdict
