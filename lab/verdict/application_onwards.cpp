// A proxy whose own connection onwards failed.
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
