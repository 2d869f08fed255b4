// An end's process ended with the connection open.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/application.hpp"
#include "verdict/limits.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::application {

bool crash_signal(int signal) {
  return signal == SIGSEGV || signal == SIGABRT || signal == SIGBUS || signal == SIGFPE || signal == SIGILL ||
         signal == SIGTRAP;
}

namespace {

using How = Closer::How;

// The process's own timers and writes raise these.
bool own_signal(int signal) {
  return signal == SIGPIPE || signal == SIGALRM || signal == SIGVTALRM || signal == SIGPROF;
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
  if (limits::may_have_used_up_cpu(process)) return true;
  return limits::told_of_kill(facts, "cgroup-oom-kill", process) != nullptr;
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
    sender = sent_by(*sent);
    if (sent->sent.sender)
      result.culprit.detail = fmt::format("sender: process {}{}", sent->sent.sender,
                                          sent->sent.sender_name.empty() ? "" : " " + sent->sent.sender_name);
    result.mechanism.push_back(signal_record(process, *sent));
  }
  if (const auto whole = limits::whole_cpu_seconds(process); signal == SIGKILL && sender.empty() && whole)
    result.doubts.push_back(
        fmt::format("it may just have used {} s of CPU time, where a limit on that kills as well", *whole));
  if (!sender_of(process) && signal == SIGKILL) {
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

}  // namespace

const SignalFacts* sender_of(const Process& process) {
  for (auto at = process.signals.rbegin(); at != process.signals.rend(); ++at)
    if (at->sent.signal == process.signal) return &*at;
  return nullptr;
}

std::string sent_by(const SignalFacts& signal) {
  const auto& sent = signal.sent;
  if (!sent.sender) return {};
  return fmt::format(" sent by {} (process {})", sent.sender_name.empty() ? "another process" : sent.sender_name,
                     sent.sender);
}

Record signal_record(const Process& process, const SignalFacts& signal) {
  return record("signals",
                fmt::format("{} to process {}{}", signal_title(signal.sent.signal), process.pid, sent_by(signal)),
                signal.at);
}

std::optional<Finding> find_exited(const Case& one) {
  if (!closed_by_an_end(one)) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (!closer.process || (closer.deed && closer.how != How::signalled) ||
      (who == Who::server && one.unaccepted().value_or(false)))
    return std::nullopt;
  const bool by_signal =
      closer.how == How::signalled && (own_signal(closer.process->signal) ||
                                       (sent_by_itself(*closer.process) && !crash_signal(closer.process->signal)));
  const bool alone = closer.how == How::exited && closer.sure;
  if ((!by_signal && !alone) || (by_signal && sent_from_outside(*closer.process))) return std::nullopt;
  auto result = chosen(one, "application/exited", who, closer);
  result->mechanism = {exit_record(*closer.process)};
  if (by_signal && closer.deed) result->mechanism.push_back(deed_record(who, *closer.deed));
  result->culprit = process_culprit(closer.process, by_signal ? signal_title(closer.process->signal)
                                                              : fmt::format("exit status {}", closer.process->status));
  result->summary = fmt::format("The {}'s process {} with the connection open; {}", name_of(who),
                                by_signal ? fmt::format("ended by its own {}", signal_title(closer.process->signal))
                                          : fmt::format("exited with status {}", closer.process->status),
                                outcome_text(one));
  if (by_signal && closer.deed)
    result->summary +=
        fmt::format(" (it wrote behind its own {})", closer.deed->step ? closer.deed->shown : closer.deed->call);
  return result;
}

std::optional<Finding> find_crashed(const Case& one) { return died(one, "application/crashed", true); }
std::optional<Finding> find_killed(const Case& one) { return died(one, "application/killed", false); }

std::string no_exit(const Case& one) {
  if (!one.facts.on("actors") || !one.complaint) return {};
  for (const int pid : one.holders(one.doer()))
    if (const auto* process = one.facts.process(pid);
        process && process->started &&
        (!process->exited || process->by_lab || process->exited.t > one.until() + 100'000'000))
      return fmt::format("{} still ran at that moment", process_text(process));
  return {};
}

}  // namespace lab::verdict::application
