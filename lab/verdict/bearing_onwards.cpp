// What a connect onwards that failed has to do with the end of the connection that it was for.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/bearing.hpp"
#include "verdict/ending.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

// A later connect of that thread that worked: it had gone elsewhere with what it wanted.
bool mended(const Case& one, const Deed& failed, std::int64_t until) {
  return std::any_of(one.facts.conns.begin(), one.facts.conns.end(), [&](const Conn& conn) {
    const auto& acts = conn.acts.client;
    return conn.handshake && conn.began.t > failed.end && conn.began.t < until && acts.pids.contains(failed.pid) &&
           (!failed.tid || acts.threads.contains(failed.tid));
  });
}

// Some other connection that its process had accepted and that was open meanwhile.
bool serves_others(const Case& one, const std::set<int>& pids, std::int64_t t) {
  return std::any_of(one.facts.conns.begin(), one.facts.conns.end(), [&](const Conn& conn) {
    if (&conn == &one.conn || !conn.handshake || conn.began.t > t || (conn.ended && conn.ended.t < t)) return false;
    const auto& theirs = conn.acts.server.pids;
    const auto& held = conn.holders.server;
    return std::any_of(pids.begin(), pids.end(), [&](int pid) { return theirs.contains(pid) || held.contains(pid); });
  });
}

bool in_time(const Case& one, const Deed& failed) {
  return failed.end >= one.conn.began.t && failed.end <= one.until();
}

}  // namespace

Bearing bearing(const Case& one, const FailedConnect& failed) {
  const auto& deed = failed.deed;
  const auto closer = one.closer(Who::server);
  const auto end = given_up(one, Who::server);
  const auto until = end.value_or(one.until());
  const auto own = index_of(one);
  Bearing result;
  if (mended(one, deed, until)) {
    result.doubts.push_back("a later connect of that thread worked");
    result.aside = true;
  }
  const bool elsewhere = std::any_of(failed.then.steps.begin(), failed.then.steps.end(), [&](const Sequel::Step& s) {
    return s.conn != own && s.conn != failed.conn && s.t < until;
  });
  if (elsewhere) {
    result.doubts.push_back("the thread got on with another connection after the failed connect");
    result.aside = true;
  }
  const auto& served = one.conn.acts.server;
  if (served.last_write.t > deed.end && served.last_read.t > deed.end) {
    result.doubts.push_back("the client was answered and heard again after the failed connect");
    result.aside = true;
  }
  if (failed.local) result.doubts.push_back("it was not a TCP connection onwards");
  const int ending = ending_thread(closer);
  if (closer.deed && closer.deed->pid == deed.pid && ending && deed.tid && ending != deed.tid)
    result.doubts.push_back("another thread than the one whose connect failed ended the connection");
  else if (closer.deed && closer.deed->pid != deed.pid)
    result.doubts.push_back("another process than the one whose connect failed ended the connection");
  if (end) {
    weigh_others(one, Who::server, closer, deed.end, result);
    weigh_time(deed, deed.end, *end, to_itself(one, Who::server, deed, failed.then, closer, *end - deed.end), result);
  } else {
    result.doubts.push_back("it did not end the connection over the failed connect");
  }
  return result;
}

Bearing bearing(const Case& one, std::int64_t refused) {
  const auto end = given_up(one, Who::server);
  Deed deed{.kind = Kind::connect, .call = "connect"};
  deed.end = refused;
  Bearing result;
  const auto pids = one.holders(Who::server);
  if (serves_others(one, pids, deed.end))
    result.doubts.push_back("for which of its connections it went onwards is not known");
  for (const int pid : pids) {
    deed.pid = pid;
    if (!mended(one, deed, end.value_or(one.until()))) continue;
    result.doubts.push_back("a later connect of that process worked");
    result.aside = true;
  }
  if (end)
    weigh_time(deed, deed.end, *end, *end - deed.end, result);
  else
    result.doubts.push_back("it did not end the connection over the failed connect");
  return result;
}

Onwards failed_onwards(const Case& one) {
  Onwards found;
  for (const int pid : one.holders(Who::server)) {
    const auto* process = one.facts.process(pid);
    if (!process) continue;
    for (const auto& failed : process->failed_connects)
      if (in_time(one, failed.deed) && (!found.failed || failed.deed.end >= found.failed->deed.end))
        found = {process, &failed};
  }
  return found;
}

std::vector<std::string> failures_before(const Case& one, Who who) {
  std::vector<std::string> all;
  for (const auto& snag : one.snags(who)) {
    const auto& deed = snag.trouble->deed;
    const auto bears = bearing(one, who, snag);
    if (bears.late) continue;
    if (!snag.trouble->filtered)
      all.push_back(fmt::format("{} had failed with {} before it", deed.call, error_name(deed.error)));
    else if (bears.aside)
      all.push_back(fmt::format("a filter had answered {} with {} before it", deed.call, snag.trouble->filter_action));
  }
  if (who != Who::server) return all;
  const auto onwards = failed_onwards(one);
  if (!onwards.failed || onwards.failed->deed.end < one.conn.acts.server.last_write.t) return all;
  const auto& deed = onwards.failed->deed;
  // Where it served nobody else, what worked in the end was for this connection, too.
  const auto pids = one.holders(Who::server);
  if (mended(one, deed, one.until()) && !serves_others(one, pids, deed.end)) return all;
  if (const auto bears = bearing(one, *onwards.failed); bears.aside && !bears.late)
    all.push_back(fmt::format("its connect had failed with {} before it", error_name(deed.error)));
  return all;
}

}  // namespace lab::verdict
