// A listener that went away with connections still waiting to be accepted.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/application.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::application {
namespace {

// An end is told when init has reaped it.
constexpr std::int64_t kToldLate = 100'000'000;

// How a process let go of the listener: by its close, by a signal, or by its end.
struct LetGo {
  std::int64_t t = 0;
  Culprit culprit;
  std::vector<Record> records;
};

LetGo by_signal(const Process& process, const SignalFacts& sent) {
  return {.t = sent.at.t,
          .culprit = {.kind = "signal", .name = signal_title(sent.sent.signal), .pid = process.pid},
          .records = {signal_record(process, sent)}};
}

std::optional<LetGo> let_go(const Process& process, std::int64_t until) {
  if (const auto& deed = process.closed_listener; deed && deed->start <= until)
    return LetGo{deed->start, process_culprit(&process, {}), {deed_record(Who::server, *deed)}};
  // A child's end is told to its parent; no program outlives a SIGKILL.
  for (const auto& sent : process.signals)
    if (!sent.sent.by_lab && sent.at.t <= until &&
        sent.sent.signal == (process.exited && !process.by_lab ? process.signal : SIGKILL))
      return by_signal(process, sent);
  const auto end = process.ending ? process.ending.t : process.exited.t;
  if (!process.exited || process.by_lab || end > until + kToldLate) return std::nullopt;
  return LetGo{end, process_culprit(&process, {}), {exit_record(process)}};
}

// The listener lives as long as somebody holds it: a child that closes its copy takes nothing away. Nothing where a
// holder is not known to have let go.
std::optional<LetGo> last_to_let_go(const Case& one) {
  std::optional<LetGo> last;
  for (const int pid : one.holders(Who::server)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    auto each = let_go(*process, one.until());
    if (!each) return std::nullopt;
    if (!last || each->t >= last->t) last = std::move(each);
  }
  return last;
}

// A listener that goes away resets for the waiting connection's own socket; one that answers a segment is still there.
bool answered_a_segment(const Conn& conn) {
  const auto& resets = conn.built.server;
  return std::any_of(resets.begin(), resets.end(), [](const KernelReset& reset) { return reset.state == "LISTEN"; });
}

}  // namespace

std::optional<Finding> find_listener_closed(const Case& one) {
  if (!closed_by_an_end(one) || one.doer() != Who::server || one.unaccepted() != std::optional(true))
    return std::nullopt;
  if (one.conn.acts.server.accepted) return std::nullopt;  // late, and all the same
  if (answered_a_segment(one.conn)) return std::nullopt;
  auto result = finding(one, "application/listener-closed", one.until());
  result.chosen = true;
  result.by = "server";
  if (auto last = last_to_let_go(one)) {
    result.mechanism = std::move(last->records);
    result.culprit = std::move(last->culprit);
  }
  if (const auto* queue = one.listener(); queue && queue->closed && queue->closed.t <= one.until() + 50'000'000)
    result.mechanism.push_back(
        record("sockets", fmt::format("the listener on {} is gone", to_string(queue->local)), queue->closed));
  if (!one.acts_known(Who::server))
    result.doubts.push_back("what the server's process did is not known (system calls: off)");
  for (const auto& snag : one.snags(Who::server))
    if (!snag.trouble->filtered)
      result.doubts.push_back(fmt::format("{} had failed with {} before it", snag.trouble->deed.call,
                                          error_name(snag.trouble->deed.error)));
  result.summary =
      fmt::format("The listener went away while the connection still waited to be accepted; {}", outcome_text(one));
  return result;
}

}  // namespace lab::verdict::application
