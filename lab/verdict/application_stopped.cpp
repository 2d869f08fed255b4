// An end's process was stopped or frozen: its kernel goes on acknowledging.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/application.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::application {
namespace {

bool runs(const Process& process, std::int64_t t) {
  return !process.stopped_at(t) && !(process.exited && process.exited.t <= t);
}

// Another holder ran: it has read or written there, and the stopped one never did.
bool others_serve(const Case& one, Who who, int stopped) {
  const auto& users = one.conn.acts[who].users;
  return !users.contains(stopped) && std::any_of(users.begin(), users.end(), [&](int pid) {
    const auto* process = one.facts.process(pid);
    return process && runs(*process, one.until());
  });
}

// Somebody else could have taken it up, where the stopped one had not.
const Process* another_runs(const Case& one, Who who, int stopped) {
  const auto& acts = one.conn.acts[who];
  if (acts.users.contains(stopped)) return nullptr;
  auto pids = one.holders(who);
  if (const auto* queue = who == Who::server ? one.listener() : nullptr)
    pids.insert(queue->pids.begin(), queue->pids.end());
  for (const int pid : pids) {
    const auto* process = one.facts.process(pid);
    if (pid != stopped && process && !acts.let_go(pid) && runs(*process, one.until())) return process;
  }
  return nullptr;
}

}  // namespace

std::optional<Finding> find_stopped(const Case& one) {
  if (!one.starved()) return std::nullopt;
  const Who who = one.doer();
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !process->stopped_at(one.until())) continue;
    if (one.conn.acts[who].let_go(pid) || others_serve(one, who, pid)) continue;
    // What it did after the stop was seen, and before it ran again, says that it was not stopped.
    const auto& acts = one.conn.acts[who];
    const auto did = std::max(acts.last_read.t, acts.last_write.t);
    if (did > process->stopped.t && !(process->resumed && did >= process->resumed.t)) continue;
    auto result = finding(one, "application/stopped", process->stopped.t);
    result.by = by_text(one, who);
    result.doubts = passing_doubts(one);
    if (const auto* other = another_runs(one, who, pid))
      result.doubts.push_back(fmt::format("{}, which may have served it as well, was running", process_text(other)));
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

std::string no_stop(const Case& one) {
  if (!one.starved()) return {};
  for (const int pid : one.holders(one.doer()))
    if (const auto* process = one.facts.process(pid); process && process->at_end && !process->stopped)
      return fmt::format("{} is {}", process_text(process), process->at_end->state);
  return {};
}

}  // namespace lab::verdict::application
