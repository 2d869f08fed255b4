// A limit of the process or its cgroup was hit.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "verdict/bearing.hpp"
#include "verdict/deeds.hpp"
#include "verdict/limits.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::limits {
namespace {

struct Limit {
  std::string_view cause, what;         // "limits/descriptors", "descriptors"
  std::vector<std::string_view> names;  // of LimitState
  bool (*matches)(const Deed& deed);
  std::string_view change;  // of Change, "" for none
};

const LimitFacts* limit_of(const Process& process, const Limit& limit) {
  const LimitFacts* found = nullptr;
  for (const auto name : limit.names)
    if (const auto at = process.limits.find(std::string(name)); at != process.limits.end())
      if (!found || at->second.state.hit) found = &at->second;
  return found;
}

// How much is used was read before the call that failed, or after the process had let go of what it held: a count that
// leaves room speaks of another moment. Memory is refused in chunks, before the last of it is gone.
std::string used_text(const evidence::LimitState& state) {
  const auto limit = fmt::format("{} = {}", state.name, state.limit);
  const bool memory = state.name == "as" || state.name == "cgroup.memory";
  return state.used >= (memory ? state.limit / 2 : state.limit) ? fmt::format("{}, {} used", limit, state.used) : limit;
}

std::string limit_text(const Process& process, const Limit& limit) {
  if (const auto* known = limit_of(process, limit)) return used_text(known->state);
  for (const auto& given : process.given)
    for (const auto name : limit.names)
      if (given.starts_with(fmt::format("{}=", name))) return given;
  return {};
}

// The kernel fails calls with these errors for no other reason than the limit; a filter can fake them.
void part_from_filters(const Case& one, const Process& process, const Limit& limit, const Trouble& trouble,
                       Finding& result) {
  if (one.facts.complete("filters")) return;
  const auto* known = limit_of(process, limit);
  const bool used_up = known && known->state.limit && (known->state.hit || known->state.used >= known->state.limit);
  const bool full =
      trouble.deed.error == EMFILE && known && process.at_end && process.at_end->descriptors >= known->state.limit;
  if (!used_up && !full)
    result.doubts.push_back(
        fmt::format("a filter can fail {} with {} too (filters: off), and the limit was not seen used up",
                    trouble.deed.call, error_name(trouble.deed.error)));
}

// A map is refused for its size or its place too. A limit that is known, or a process that ends, says it was needed.
void part_from_wishes(const Case& one, Who who, const Process& process, const Limit& limit, Finding& result) {
  if (limit.cause != "limits/memory" || !limit_text(process, limit).empty()) return;
  const auto closer = one.closer(who);
  if (closer.how == Closer::How::exited || closer.how == Closer::How::signalled) return;
  result.doubts.push_back("no limit on its memory is known");
}

std::optional<Finding> by_failed_call(const Case& one, const Limit& limit) {
  const Who who = one.doer();
  const auto weighed = weigh(one, who, [&](const Trouble& t) { return !t.filtered && limit.matches(t.deed); });
  if (!weighed) return std::nullopt;
  const auto& process = *weighed->snag.process;
  const auto& trouble = *weighed->snag.trouble;
  auto result = finding(one, limit.cause, trouble.deed.end);
  result.by = by_text(one, who);
  result.doubts = weighed->bearing.doubts;
  result.mechanism.push_back(deed_record(who, trouble.deed));
  const auto value = limit_text(process, limit);
  const auto* known = limit_of(process, limit);
  if (known) result.mechanism.push_back(record("limits", value, known->at));
  part_from_filters(one, process, limit, trouble, result);
  part_from_wishes(one, who, process, limit, result);
  result.culprit = {.kind = "limit",
                    .name = known ? known->state.name : std::string(limit.names.front()),
                    .pid = process.pid,
                    .detail = fmt::format("{} → {}{}{}", trouble.deed.call, error_name(trouble.deed.error),
                                          value.empty() ? "" : "; ", value)};
  result.summary =
      fmt::format("The {} had no {} left: {} failed with {}{}; {}", name_of(who), limit.what, trouble.deed.call,
                  error_name(trouble.deed.error), value.empty() ? "" : fmt::format(" ({})", value), outcome_text(one));
  return result;
}

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kYears = 1'000'000'000;  // in seconds: as nanoseconds no more than fits

// CPU time at its end: not less than when it was last looked at, nor more than all its threads can have used since.
// /proc shows what was run, the limit counts ticks, which may come to a tenth more or less (kernel/sched/cputime.c).
struct CpuTime {
  std::int64_t least = 0, most = 0;
};
std::optional<CpuTime> cpu_time(const Process& process) {
  if (!process.at_end || !process.exited) return std::nullopt;
  const auto used = static_cast<std::int64_t>(process.at_end->cpu_ns);
  const auto apart = kSecond / 10 + used / 10;
  const auto since = std::max<std::int64_t>(process.exited.t - process.at_end_mark.t, 0);
  const auto threads = std::max<std::int64_t>(process.at_end->threads, 1);
  return CpuTime{.least = used - apart, .most = used + since * threads + apart};
}

std::optional<std::int64_t> given_cpu_limit(const Process& process) {
  for (const auto& given : process.given)
    if (given.starts_with("cpu=")) return std::min<std::int64_t>(std::atoll(given.c_str() + 4), kYears);
  return std::nullopt;
}

// The limit's seconds, as last read or as it was started with ("cpu=1s").
std::optional<std::int64_t> cpu_limit(const Process& process) {
  if (const auto at = process.limits.find("cpu"); at != process.limits.end())
    return static_cast<std::int64_t>(std::min<std::uint64_t>(at->second.state.limit, kYears));
  return given_cpu_limit(process);
}

// Why a signal that limits send need not be a limit's: programs send it to themselves, timers do.
void part_from_own_signals(const Process& process, const Limit& limit, int signal, Finding& result) {
  if (signal != SIGXCPU && signal != SIGXFSZ) return;
  const bool told = std::any_of(process.signals.begin(), process.signals.end(), [&](const SignalFacts& one) {
    return one.sent.signal == signal && one.sent.by_kernel;
  });
  // A timer's signal is the kernel's too, and nobody has a timer send SIGXFSZ.
  if (limit_text(process, limit).empty() && !(told && signal == SIGXFSZ))
    result.doubts.push_back(fmt::format("no limit on its {} is known", limit.what));
  // With each SIGXCPU the kernel moves the limit on by a second (kernel/time/posix-cpu-timers.c), and on a busy machine
  // the ticks of one that shares its CPU come to a good deal more than it ran.
  const auto given = given_cpu_limit(process), read = cpu_limit(process);
  const auto seconds = given.value_or(read.value_or(1) - 1);
  if (const auto used = cpu_time(process); signal == SIGXCPU && used && used->most < seconds * (kSecond / 2))
    result.doubts.push_back("it had used less CPU time than its limit");
}

// A signal that stands for a limit, or SIGKILL where the limit's own record says that it was hit.
std::optional<Finding> by_signal(const Case& one, const Limit& limit, int signal) {
  if (!one.gone() || one.closing.foreign()) return std::nullopt;
  const Who who = one.doer();
  const auto closer = one.closer(who);
  if (closer.how != Closer::How::signalled || !closer.process) return std::nullopt;
  const auto& process = *closer.process;
  const auto* known = limit_of(process, limit);
  const auto* change = limit.change.empty() ? nullptr : told_of_kill(one.facts, limit.change, process);
  const bool hit = (known && known->state.hit) || change;
  const bool run_out = signal == SIGXCPU && may_have_used_up_cpu(process);
  if (process.signal != signal && !(process.signal == SIGKILL && (hit || run_out))) return std::nullopt;
  for (const auto& sent : process.signals)
    if (sent.sent.signal == process.signal && !sent.sent.by_kernel && sent.sent.sender) return std::nullopt;
  auto result = finding(one, limit.cause, one.closing.any ? one.closing.at.t : process.exited.t);
  result.by = by_text(one, who);
  result.mechanism.push_back(
      record("actors", fmt::format("{} was killed by {}", process_text(&process), signal_title(process.signal)),
             process.exited));
  if (known) result.mechanism.push_back(record("limits", limit_text(process, limit), known->at));
  if (change)
    result.mechanism.push_back(
        record("changes", fmt::format("{} {}", change->change.kind, change->change.object), change->at));
  if (!closer.sure) result.doubts = closing_doubts(one, who, closer);
  part_from_own_signals(process, limit, process.signal, result);
  if (process.signal == SIGKILL && !hit) result.doubts.push_back("that it was the limit that killed it was not told");
  const auto value = limit_text(process, limit);
  result.culprit = {.kind = "limit",
                    .name = known ? known->state.name : std::string(limit.names.front()),
                    .pid = process.pid,
                    .detail = value};
  result.summary =
      fmt::format("The {}'s process hit its limit on {}{} and was killed by {}; {}", name_of(who), limit.what,
                  value.empty() ? "" : fmt::format(" ({})", value), signal_title(process.signal), outcome_text(one));
  return result;
}

const Limit kDescriptors{"limits/descriptors",
                         "descriptors",
                         {"nofile"},
                         [](const Deed& d) { return d.error == EMFILE || d.error == ENFILE; },
                         ""};
const Limit kProcesses{"limits/processes",
                       "processes or threads",
                       {"nproc", "cgroup.pids"},
                       [](const Deed& d) { return d.error == EAGAIN && d.kind == Kind::spawn; },
                       ""};
const Limit kMemory{"limits/memory",
                    "memory",
                    {"as", "cgroup.memory", "data"},
                    [](const Deed& d) { return d.error == ENOMEM && shortage(d); },
                    "cgroup-oom-kill"};
const Limit kFileSize{"limits/file-size", "file size", {"fsize"}, [](const Deed& d) { return d.error == EFBIG; }, ""};
const Limit kCpuTime{"limits/cpu-time", "CPU time", {"cpu"}, [](const Deed&) { return false; }, ""};

std::string no_failed_call(const Case& one, const Limit& limit) {
  if (!one.complaint || !one.acts_known(one.doer())) return {};
  for (const int pid : one.holders(one.doer())) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    if (std::any_of(process->troubles.begin(), process->troubles.end(),
                    [&](const Trouble& t) { return limit.matches(t.deed); }))
      return {};
  }
  return fmt::format("no call of the {} failed for want of {}", name_of(one.doer()), limit.what);
}

}  // namespace

const ChangeFacts* told_of_kill(const Facts& facts, std::string_view kind, const Process& killed) {
  constexpr std::int64_t slack = 50'000'000;
  auto since = killed.exited.t;
  for (const auto& one : killed.signals)
    if (one.sent.signal == killed.signal) since = std::min(since, one.at.t);
  for (const auto& one : facts.changes)
    if (one.change.kind == kind && one.at.t <= killed.exited.t + slack && one.at.t >= since - slack) return &one;
  return nullptr;
}

bool may_have_used_up_cpu(const Process& process) {
  const auto seconds = cpu_limit(process);
  const auto used = cpu_time(process);
  if (process.signal != SIGKILL || !seconds || !used) return false;
  // A limit of 0 counts as one of a second (kernel/sys.c).
  return used->most >= std::max<std::int64_t>(*seconds, 1) * kSecond;
}

std::optional<std::int64_t> whole_cpu_seconds(const Process& process) {
  const auto used = cpu_time(process);
  if (!used) return std::nullopt;
  const auto whole = used->most / kSecond;
  return whole >= 1 && whole * kSecond >= used->least ? std::optional(whole) : std::nullopt;
}

std::optional<Finding> find_descriptors(const Case& one) { return by_failed_call(one, kDescriptors); }
std::optional<Finding> find_processes(const Case& one) { return by_failed_call(one, kProcesses); }
std::optional<Finding> find_memory(const Case& one) {
  if (auto found = by_failed_call(one, kMemory)) return found;
  return by_signal(one, kMemory, -1);
}
std::optional<Finding> find_file_size(const Case& one) {
  if (auto found = by_failed_call(one, kFileSize)) return found;
  return by_signal(one, kFileSize, SIGXFSZ);
}
std::optional<Finding> find_cpu_time(const Case& one) {
  if (auto found = find_throttled(one)) return found;
  return by_signal(one, kCpuTime, SIGXCPU);
}

std::string no_descriptors(const Case& one) { return no_failed_call(one, kDescriptors); }
std::string no_processes(const Case& one) { return no_failed_call(one, kProcesses); }
std::string no_memory(const Case& one) { return no_failed_call(one, kMemory); }

}  // namespace lab::verdict::limits
