// A listener that went away, and a proxy whose own connection failed.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/application.hpp"
#include "verdict/bearing.hpp"
#include "verdict/deeds.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::application {
namespace {

// A connection of the same process onwards that never came about, tried while this one was open: the one that its own
// call tells of, or the last.
const Conn* never_connected(const Case& one, const FailedConnect* failed) {
  if (failed && failed->conn != Mark::nowhere) return &one.facts.conns[failed->conn];
  const auto pids = one.holders(Who::server);
  const Conn* found = nullptr;
  for (const auto& onwards : one.facts.conns) {
    if (&onwards == &one.conn || onwards.handshake || onwards.began.t < one.conn.began.t ||
        onwards.began.t > one.until())
      continue;
    const auto& theirs = onwards.acts.client.pids;
    const auto& held = onwards.holders.client;
    if (std::any_of(pids.begin(), pids.end(), [&](int pid) { return theirs.count(pid) || held.count(pid); }))
      found = &onwards;
  }
  return found;
}

}  // namespace

std::optional<Finding> find_listener_closed(const Case& one) {
  if (!closed_by_an_end(one) || one.doer() != Who::server || one.unaccepted() != std::optional(true))
    return std::nullopt;
  if (one.conn.acts.server.accepted) return std::nullopt;  // late, and all the same
  // A listener that goes away resets for the waiting connection's own socket; one that answers a segment is still
  // there.
  const auto& resets = one.conn.built.server;
  if (std::any_of(resets.begin(), resets.end(), [](const KernelReset& reset) { return reset.state == "LISTEN"; }))
    return std::nullopt;
  auto result = finding(one, "application/listener-closed", one.until());
  result.chosen = true;
  result.by = "server";
  for (const int pid : one.holders(Who::server)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    if (const auto& deed = process->closed_listener; deed && deed->start <= one.until())
      result.mechanism.push_back(deed_record(Who::server, *deed));
    else if (process->exited && !process->by_lab && process->signal == 0)
      result.mechanism.push_back(exit_record(*process));
    else
      continue;
    result.culprit = process_culprit(process, {});
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

std::optional<Finding> find_backend_refused(const Case& one) {
  if (!one.complaint || one.unconnected()) return std::nullopt;
  if (one.gone() && one.closing.foreign()) return std::nullopt;
  if (one.doer() != Who::server) return std::nullopt;
  const auto [process, failed] = failed_onwards(one);
  const auto* onwards = never_connected(one, failed);
  if (!failed && (!onwards || !onwards->stream.server.rst)) return std::nullopt;
  if (failed && shortage(failed->deed)) return std::nullopt;
  auto bears = failed ? bearing(one, *failed) : bearing(one, onwards->stream.server.rst.t);
  if (bears.aside) return std::nullopt;
  auto result = finding(one, "application/backend-refused", failed ? failed->deed.end : onwards->began.t);
  result.by = "proxy";
  result.doubts = std::move(bears.doubts);
  if (failed)
    result.mechanism.push_back(
        record(told_by(failed->deed),
               fmt::format("{}: {} → {}", process_text(process), failed->deed.shown, error_name(failed->deed.error)),
               failed->deed.mark));
  if (onwards && onwards->stream.server.rst)
    result.mechanism.push_back(record("wire",
                                      fmt::format("{} refused the connection onwards", to_string(onwards->server)),
                                      onwards->stream.server.rst));
  const auto pids = one.holders(Who::server);
  result.culprit = {.kind = "call",
                    .name = "connect",
                    .pid = process ? process->pid : *pids.begin(),
                    .detail = failed ? error_name(failed->deed.error) : "no answer"};
  result.summary = fmt::format("The process that accepted could not connect onwards{} and gave up; {}",
                               failed ? fmt::format(" ({})", error_name(failed->deed.error)) : "", outcome_text(one));
  return result;
}

}  // namespace lab::verdict::application
