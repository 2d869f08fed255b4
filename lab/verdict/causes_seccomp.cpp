// A seccomp filter failed a call, killed a process or a thread, or left a call without an answer.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/bearing.hpp"
#include "verdict/cause.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

Record filter_record(const Trouble& trouble) {
  if (trouble.filter_action == "kill-thread")
    return record("filters", fmt::format("a thread was ended by SIGSYS in {}: a filter's answer", trouble.deed.call),
                  trouble.filter_at);
  if (trouble.known_call && trouble.filter_at.event == trouble.deed.mark.event)
    return record("syscalls",
                  fmt::format("{} came back with {} and had never begun: a filter's answer", trouble.deed.call,
                              error_name(trouble.deed.error)),
                  trouble.filter_at);
  std::string text = fmt::format("a filter answered {} with {}", trouble.deed.call, trouble.filter_action);
  if (trouble.filter_action == "errno") text += " " + error_name(trouble.deed.error);
  if (trouble.filter_count) text += fmt::format(" (call {} of its kind)", trouble.filter_count);
  return record("filters", text, trouble.filter_at);
}

Culprit filter_culprit(const Trouble& trouble) {
  return {.kind = "call",
          .name = trouble.deed.call,
          .pid = trouble.deed.pid,
          .detail = trouble.filter_action == "errno" ? error_name(trouble.deed.error) : trouble.filter_action};
}

std::optional<Finding> filtered(const Case& one, std::string_view name, bool (*matches)(const Trouble&)) {
  if (!one.complaint) return std::nullopt;
  const Who who = one.doer();
  const auto weighed = weigh(one, who, [&](const Trouble& t) { return t.filtered && matches(t); });
  if (!weighed) return std::nullopt;
  const auto& trouble = *weighed->snag.trouble;
  auto result = finding(one, name, trouble.filter_at.t);
  result.by = by_text(one, who);
  result.doubts = weighed->bearing.doubts;
  result.mechanism.push_back(filter_record(trouble));
  if (trouble.known_call) result.effect.insert(result.effect.begin(), deed_record(who, trouble.deed));
  result.culprit = filter_culprit(trouble);
  return result;
}

std::optional<Finding> find_errno(const Case& one) {
  auto result = filtered(one, "seccomp/errno", [](const Trouble& t) { return t.filter_action == "errno"; });
  if (result)
    result->summary = fmt::format("A seccomp filter failed the {}'s {} with {}{}; {}", result->by, result->culprit.name,
                                  result->culprit.detail, one.gone() ? ", and it gave up" : "", outcome_text(one));
  return result;
}

std::optional<Finding> find_stalled(const Case& one) {
  auto result = filtered(one, "seccomp/stalled", [](const Trouble& t) { return t.filter_action == "stall"; });
  if (result)
    result->summary = fmt::format("A seccomp filter left the {}'s {} without an answer; {}", result->by,
                                  result->culprit.name, outcome_text(one));
  return result;
}

// A thread inside a call that is no longer among the process's threads: SECCOMP_RET_KILL_THREAD ends one so, with
// nothing but an audit record (kernel/seccomp.c), and no other thread notices.
std::optional<Finding> find_thread_gone(const Case& one) {
  const Who who = one.doer();
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !process->at_end || (process->exited && !process->by_lab)) continue;
    if (process->at_end->when != "end" || process->at_end->threads == 0) continue;
    const auto& inside = process->inside;
    const auto lives = [](const auto& in) { return in.second.kind != Kind::exit; };
    const auto busy = std::count_if(inside.begin(), inside.end(), lives);
    if (busy < 2 || static_cast<std::uint64_t>(busy) <= process->at_end->threads) continue;
    const auto lost = std::find_if(inside.begin(), inside.end(), [&](const auto& in) {
      return in.first != pid && lives(in) && in.second.kind != Kind::pause;
    });
    if (lost == inside.end() || !(lost->second.step || one.facts.complete("syscalls"))) continue;
    auto result = finding(one, "seccomp/killed", lost->second.start);
    result.by = by_text(one, who);
    result.mechanism.push_back(record("processes",
                                      fmt::format("{} threads of {} are inside a call, and it has {}", busy,
                                                  process_text(process), process->at_end->threads),
                                      process->at_end_mark));
    result.mechanism.push_back(record(told_by(lost->second),
                                      fmt::format("thread {} never came back from {}", lost->first, lost->second.shown),
                                      lost->second.mark));
    result.doubts.push_back("that it was a filter was not seen");
    result.culprit = {.kind = "call", .name = lost->second.call, .pid = pid, .detail = "kill-thread"};
    return result;
  }
  return std::nullopt;
}

// SIGSYS that a process was sent, by itself too, and no other: whoever dies of it died of no filter. A filter's signal
// comes from the kernel, or is none at all.
bool sigsys_was_sent(const Process* process) {
  if (!process) return false;
  bool sent = false;
  for (const auto& signal : process->signals) {
    if (signal.sent.signal != SIGSYS) continue;
    if (signal.sent.by_kernel) return false;
    sent |= signal.sent.sender != 0;
  }
  return sent;
}

std::optional<Finding> find_killed(const Case& one) {
  if (!one.complaint) return std::nullopt;
  const Who who = one.doer();
  for (const int pid : one.holders(who))
    if (sigsys_was_sent(one.facts.process(pid))) return std::nullopt;
  auto result = filtered(one, "seccomp/killed", [](const Trouble& t) {
    return t.filter_action.starts_with("kill") || t.filter_action == "trap";
  });
  const auto closer = one.closer(who);
  const bool died = one.gone() && !one.closing.foreign() && closer.how == Closer::How::signalled && closer.process &&
                    closer.process->signal == SIGSYS;
  if (died) {
    if (sigsys_was_sent(closer.process)) return std::nullopt;
    if (!result) {
      result = finding(one, "seccomp/killed", one.closing.any ? one.closing.at.t : closer.process->exited.t);
      result->by = by_text(one, who);
      result->culprit = {.kind = "signal", .name = "SIGSYS", .pid = closer.process->pid};
      if (!closer.sure) result->doubts = closing_doubts(one, who, closer);
      // The call it died in, where somebody saw it enter.
      for (const auto& [tid, deed] : closer.process->inside) result->culprit.detail = deed.call;
    }
    result->mechanism.push_back(
        record("actors", fmt::format("{} was killed by SIGSYS", process_text(closer.process)), closer.process->exited));
  }
  if (!result) result = find_thread_gone(one);
  if (!result) return std::nullopt;
  const bool thread = result->culprit.detail == "kill-thread" && !died;
  if (died && result->culprit.detail == "kill-thread") result->culprit.detail = "SIGSYS";
  const auto what = died && result->culprit.kind == "signal"
                        ? (result->culprit.detail.empty() ? std::string("a call") : result->culprit.detail)
                        : result->culprit.name;
  result->summary = fmt::format("A seccomp filter killed the {}'s {} at {}; {}", name_of(who),
                                thread ? "thread" : "process", what, outcome_text(one));
  return result;
}

// A program may have a filter of its own, of which only BPF sees something: calls that never begin.
bool may_hide_a_filter(const Case& one, const Process& process) {
  if (process.steps) return false;
  const auto calls = one.facts.sources.find("syscalls");
  return !one.facts.complete("syscalls") || calls == one.facts.sources.end() || calls->second.disturbs;
}

std::string no_filter(const Case& one) {
  if (!one.complaint || !one.facts.complete("filters")) return {};
  for (const int pid : one.holders(one.doer())) {
    const auto* process = one.facts.process(pid);
    if (process && may_hide_a_filter(one, *process)) return {};
    if (process &&
        std::any_of(process->troubles.begin(), process->troubles.end(), [](const Trouble& t) { return t.filtered; }))
      return {};
  }
  return fmt::format("no filter answered a call of the {}", name_of(one.doer()));
}
std::string no_stall(const Case& one) { return one.starved() ? no_filter(one) : std::string(); }
std::string no_errno(const Case& one) { return one.gone() ? no_filter(one) : std::string(); }
std::string no_kill(const Case& one) {
  if (!one.gone()) return {};
  const auto closer = one.closer(one.doer());
  if (!closer.process || !closer.process->exited || closer.process->signal == SIGSYS) return {};
  return fmt::format(
      "{} ended with {}, not SIGSYS", process_text(closer.process),
      closer.process->signal ? signal_title(closer.process->signal) : fmt::format("status {}", closer.process->status));
}

}  // namespace

std::span<const Cause> seccomp_causes() {
  static const std::vector<Cause> all = {
      {"seccomp/errno",
       "a seccomp filter failed a call",
       find_errno,
       no_errno,
       {"grep Seccomp /proc/PID/status: 2 is a filter; SystemCallFilter= of the unit, the container's seccomp profile",
        "strace -f -p PID shows the call that fails with EPERM or ENOSYS; run once without the profile to compare"}},
      {"seccomp/killed",
       "a seccomp filter killed the process or thread (SIGSYS)",
       find_killed,
       no_kill,
       {"journalctl -k | grep 'type=1326': sig=31, and syscall= is the number (ausyscall NUMBER)",
        "Add the call to SystemCallFilter= or the profile; SystemCallErrorNumber=EPERM turns death into an error"}},
      {"seccomp/stalled",
       "a seccomp filter left a call without an answer",
       find_stalled,
       no_stall,
       {"cat /proc/PID/task/*/syscall and wchan: seccomp_do_user_notification waits for a supervisor",
        "Is the supervisor (container runtime, sandbox broker) alive and reading its notification descriptor?"}},
  };
  return all;
}

}  // namespace lab::verdict
