#include "run/actor_report.hpp"

#include <signal.h>
#include <sys/wait.h>

#include <algorithm>

#include "run/testimony.hpp"
#include "system/clock.hpp"

namespace lab::run {
namespace {

// A rule without the notifier leaves its mark only in how the process ended.
void report_rule(const scenario::Actor& what, const actors::Actor& actor, const sandbox::Notifier& notifier,
                 std::size_t index, Teller& teller) {
  using scenario::FilterAction;
  const auto& rule = what.seccomp->rules[index];
  const auto kind = rule.action.kind;
  if (kind == FilterAction::allow || kind == FilterAction::log) return;
  FaultCount count{.kind = "seccomp", .name = what.name + ": " + rule.source, .count = notifier.fired(index)};
  const auto endings = actor.endings();
  const bool fatal =
      kind == FilterAction::kill_process || kind == FilterAction::kill_thread || kind == FilterAction::trap;
  if (!count.count && fatal)
    count.count = static_cast<std::uint64_t>(std::count_if(endings.begin(), endings.end(), [](const auto& e) {
      return WIFSIGNALED(e.status) && WTERMSIG(e.status) == SIGSYS;
    }));
  // A killed thread's process lives on, and a trap may have a handler: neither leaves a record.
  count.unobserved =
      !count.count && kind != FilterAction::fail && kind != FilterAction::stall && kind != FilterAction::kill_process;
  teller.seccomp(count);
}

}  // namespace

void report(const scenario::Actor& what, const actors::Actor& actor, const sandbox::Notifier* notifier,
            Teller& teller) {
  for (const auto& step : actor.report()) {
    auto done = step_done(what, step);
    const auto t = done.end_ns ? done.end_ns : done.start_ns;
    if (what.role == scenario::Role::op)
      teller.operator_step(done);
    else
      teller.put({.t_ns = t ? t : sys::now_ns(), .what = std::move(done)});
  }
  if (!what.seccomp) return;
  for (std::size_t i = 0; i < what.seccomp->rules.size(); ++i) report_rule(what, actor, *notifier, i, teller);
}

}  // namespace lab::run
