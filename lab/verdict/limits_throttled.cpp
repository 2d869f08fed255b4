// A control group that had no CPU time left.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "verdict/bearing.hpp"
#include "verdict/limits.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::limits {
namespace {

// A group's share of CPU time is handed out anew in each period (kernel/sched/fair.c, default_cfs_period).
constexpr std::int64_t kPeriod = 100'000'000;

// One that served the connection sleeps or waits for a lock; or anybody waits for the network.
bool inside_a_wait(const Process& process, const Acts& acts) {
  return std::any_of(process.inside.begin(), process.inside.end(), [&](const auto& in) {
    const auto& [tid, deed] = in;
    const auto kind = deed.kind;
    const bool sleeps = kind == Kind::pause && !deed.shown.starts_with("burn") && acts.threads.contains(tid);
    return kind == Kind::read || kind == Kind::write || kind == Kind::accept || kind == Kind::poll || sleeps;
  });
}

// The group's limit, where it was used up and the process was not waiting for anything anyhow.
const LimitFacts* used_up(const Process* process, const Acts& acts) {
  if (!process || inside_a_wait(*process, acts)) return nullptr;
  const auto at = process->limits.find("cgroup.cpu");
  return at == process->limits.end() || !at->second.state.hit ? nullptr : &at->second;
}

// How long it was held back from `since` on, in ns. The count is read at intervals: `least` leaves out what may have
// passed between the last look before and then, and is at least what the first look after it had not counted yet.
struct Held {
  std::int64_t least, most;
};
Held held_since(const Process& process, const LimitFacts& cpu, std::int64_t since) {
  const auto after = cpu.counts.upper_bound(since);
  const bool first = after == cpu.counts.begin();
  const auto before = first ? 0 : std::prev(after)->second;
  const auto seen = first ? process.started.t : std::prev(after)->first;
  const auto between = (std::max<std::int64_t>(since - seen, 0) + kPeriod - 1) / kPeriod;
  const auto periods = static_cast<std::int64_t>(cpu.state.used - std::min(before, cpu.state.used));
  const auto share = static_cast<std::int64_t>(std::min<std::uint64_t>(cpu.state.limit, 100));
  const auto each = kPeriod * (100 - share) / 100;
  const auto later = after == cpu.counts.end() ? 0 : static_cast<std::int64_t>(cpu.state.used - after->second);
  return {std::max({periods - between, later, std::int64_t{0}}) * each, periods * each};
}

}  // namespace

// It worked on the answer and was held back for most of the time that the other end waited.
std::optional<Finding> find_throttled(const Case& one) {
  if (!one.starved() || one.gap(one.victim()).any || !one.complaint->deed) return std::nullopt;
  const Who who = one.doer();
  const auto& work = one.conn.acts[who].last_read;
  const auto waited = one.complaint->deed->end - one.complaint->deed->start;
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    const auto* cpu = used_up(process, one.conn.acts[who]);
    if (!cpu || !work || work.t > one.until()) continue;
    const auto& state = cpu->state;
    // The last count is read after the other end gave up.
    if (held_since(*process, *cpu, work.t).least < std::max(waited, cpu->at.t - work.t) / 2) continue;
    auto result = finding(one, "limits/cpu-time", work.t);
    result.by = by_text(one, who);
    const auto value = fmt::format("cgroup.cpu = {} %, used up in {}", state.limit, plural(state.used, "period"));
    result.mechanism.push_back(record("limits", value + " of 100 ms", cpu->at));
    result.culprit = {.kind = "limit", .name = "cgroup.cpu", .pid = pid, .detail = value};
    result.summary = fmt::format("The {} was at work, but its control group had no CPU time left ({}); {}",
                                 name_of(who), value, outcome_text(one));
    return result;
  }
  return std::nullopt;
}

std::vector<std::string> throttled_doubts(const Case& one, Who who) {
  const auto& deed = one.complaint->deed;
  if (!deed) return {};
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    const auto* cpu = used_up(process, one.conn.acts[who]);
    if (!cpu) continue;
    const auto held = held_since(*process, *cpu, deed->start).most;
    if (held >= (deed->end - deed->start) / 10)
      return {fmt::format("its control group had no CPU time left for {} of that time", span_text(held))};
  }
  return {};
}

}  // namespace lab::verdict::limits
