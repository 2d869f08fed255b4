// A listener that went away with connections still waiting to be accepted.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "verdict/application.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::application {
namespace {

// An end is told when init has reaped it.
constexpr std::int64_t kToldLate = 100'000'000;

// How a process let go of the listener: by its close, by a signal, or by its end.
struct LetGo {
  std::int64_t t = 0, until = 0;
  Culprit culprit;
  std::vector<Record> records;
};

std::optional<LetGo> by_close(const Case& one, const Process& process, std::int64_t when) {
  const Deed* last = nullptr;
  for (const auto& [local, deed] : process.closed_listeners)
    if (listens_for(local, one.conn.server) && deed.start <= when + kSlack && (!last || last->end < deed.end))
      last = &deed;
  if (!last) return std::nullopt;
  return LetGo{last->start, last->end, process_culprit(&process, {}), {deed_record(Who::server, *last)}};
}

std::optional<LetGo> by_end(const Process& process, std::int64_t when) {
  // A child's end is told to its parent; no program outlives a SIGKILL.
  const bool told = process.exited && !process.by_lab;
  for (const auto& sent : process.signals)
    if (!sent.sent.by_lab && sent.at.t <= when + kSlack && sent.sent.signal == (told ? process.signal : SIGKILL))
      return LetGo{sent.at.t,
                   sent.at.t,
                   {.kind = "signal", .name = signal_title(sent.sent.signal), .pid = process.pid},
                   {signal_record(process, sent)}};
  const auto t = process.ending ? process.ending.t : process.exited.t;
  if (!told || t > when + kToldLate) return std::nullopt;
  return LetGo{t, t, process_culprit(&process, {}), {exit_record(process)}};
}

// The listener lives as long as somebody holds it: a child that closes its copy takes nothing away. Resets leave inside
// the last holder's close (inet_csk_listen_stop, net/ipv4/inet_connection_sock.c). Nothing where it may have been
// another.
std::optional<LetGo> last_to_let_go(const Case& one) {
  const auto when = one.closing.any ? one.closing.at.t : one.until();
  std::vector<LetGo> closed, ended;
  bool unknown = false;
  for (const int pid : one.holders(Who::server)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    if (auto close = by_close(one, *process, when)) {
      if (!one.closing.any || close->until >= when - kSlack) closed.push_back(std::move(*close));
    } else if (auto end = by_end(*process, when)) {
      ended.push_back(std::move(*end));
    } else {
      unknown = true;
    }
  }
  const bool at_once =
      std::any_of(ended.begin(), ended.end(), [&](const LetGo& end) { return std::abs(end.t - when) <= kSlack; });
  const auto long_ago = [&](const LetGo& each) { return unknown && each.until + kToldLate < when; };
  std::erase_if(closed, long_ago);
  std::erase_if(ended, long_ago);
  if (closed.size() == 1 && !at_once) return closed.front();
  if (closed.empty() && ended.size() == 1) return ended.front();
  return std::nullopt;
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
