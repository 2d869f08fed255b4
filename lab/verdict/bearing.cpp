#include "verdict/bearing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <string_view>

#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

using How = Closer::How;

// On a machine with ten times as much to do as it can, giving up took 300 ms. What is tolerated for much longer is not
// what ended it.
constexpr std::int64_t kMoment = 2'000'000'000;
// A call's end is told by another clock than a segment's, and behind what it did.
constexpr std::int64_t kClocks = 1'000'000;

std::size_t index_of(const Case& one) {
  for (std::size_t i = 0; i < one.facts.conns.size(); ++i)
    if (&one.facts.conns[i] == &one.conn) return i;
  return Mark::nowhere;
}

// When that end gave the connection up; nothing where it holds it still.
std::optional<std::int64_t> given_up(const Case& one, Who who) {
  if (!one.gone()) return std::nullopt;
  return one.closing.any && one.closing.from == who ? one.closing.at.t : one.until();
}

// The thread that ended it: the one that closed, or the last to act in a process that ended.
int ending_thread(const Closer& closer) {
  if (closer.deed) return closer.deed->tid;
  const bool exited = closer.how == How::exited && closer.process && closer.process->last;
  return exited ? closer.process->last->tid : 0;
}

bool of_its_own_accord(const Closer& closer) { return closer.how != How::unknown && closer.how != How::signalled; }

bool by_a_thread_of_it(const Case& one, Who who, const Closer& closer, const Deed& deed) {
  const auto& threads = one.conn.acts[who].threads;
  const int ending = ending_thread(closer);
  return !deed.tid || threads.empty() || threads.contains(deed.tid) || threads.contains(0) || ending == deed.tid;
}

bool got_on(const Sequel& then, std::int64_t until, std::size_t but_on = Mark::nowhere) {
  return std::any_of(then.steps.begin(), then.steps.end(), [&](const Sequel::Step& s) {
    return !s.closes && s.t < until && (s.conn != but_on || s.conn == Mark::nowhere);
  });
}

void weigh_time(const Deed& deed, std::int64_t t, std::int64_t until, Bearing& result) {
  const auto passed = until - t;
  if (passed < -kClocks) {
    result.doubts.push_back(fmt::format("{} failed when it had ended", deed.call));
    result.aside = result.late = true;
  }
  if (passed <= kGivesUp) return;
  result.doubts.push_back(fmt::format("{} went by between the failed {} and the end", span_text(passed), deed.call));
  result.aside |= passed > kMoment;
}

// The filter's act and the end of the connection are one: nothing can come between.
bool holds_or_kills(const Trouble& trouble, const Process& process) {
  if (!trouble.filtered) return false;
  if (trouble.filter_action == "stall" || trouble.filter_action == "kill-thread") return true;
  return trouble.filter_action != "errno" && process.signal == SIGSYS;
}

// Whom such a call fails can't serve the connection, whatever he waits in. Others he may have done without.
bool leaves_it_unserved(Kind kind) {
  return kind != Kind::other && kind != Kind::descriptor && kind != Kind::memory && kind != Kind::file;
}

// Advice to the kernel, tuning, and questions for a log line.
bool done_without(std::string_view call) {
  static constexpr std::string_view all[] = {
      "madvise",    "fadvise64",   "sched_yield", "setpriority", "sched_setscheduler", "sched_setaffinity", "prctl",
      "ioprio_set", "getpeername", "getsockname", "fsync",       "fdatasync",          "sync_file_range"};
  return std::find(std::begin(all), std::end(all), call) != std::end(all);
}

bool moves_or_ends(Kind kind) {
  return kind == Kind::read || kind == Kind::write || kind == Kind::shut || kind == Kind::close;
}

// It was inside the next read when the other end gave up: what it did not get then was not there.
bool reads_again(const Case& one, const Deed& failed) {
  const auto now = one.reading();
  return one.starved() && failed.kind == Kind::read && now && now->pid == failed.pid && now->start >= failed.end;
}

// What it had sent before is what the other end waited for, and was lost on the way.
bool lost_before(const Case& one, Who who, const Deed& failed) {
  if (!one.starved()) return false;
  const auto gap = one.gap(who);
  return gap.any && gap.since && gap.since.t < failed.start;
}

// The same had failed before, and its thread had got on with its work.
bool survived_before(const Process& process, const Trouble& trouble, bool sibling = false) {
  const auto& deed = trouble.deed;
  return std::any_of(process.troubles.begin(), process.troubles.end(), [&](const Trouble& earlier) {
    return earlier.deed.call == deed.call && earlier.deed.error == deed.error && earlier.deed.end < deed.start &&
           (sibling || !deed.tid || earlier.deed.tid == deed.tid) && got_on(earlier.then, deed.start);
  });
}

// Or in another child of its parent's: servers fork for each connection.
bool sibling_survived(const Facts& facts, const Process& process, const Trouble& trouble) {
  return process.parent && std::any_of(facts.processes.begin(), facts.processes.end(), [&](const auto& entry) {
           const auto& other = entry.second;
           return other.pid != process.pid && other.parent == process.parent && survived_before(other, trouble, true);
         });
}

// The end came all the same: its FIN is what the failed shutdown would have sent.
bool closed_instead(const Case& one, Who who, const Deed& failed, const Closer& closer) {
  return failed.kind == Kind::shut && one.closing.any && one.closing.fin && one.closing.from == who && closer.deed &&
         closer.deed->start >= failed.end;
}

}  // namespace

Bearing bearing(const Case& one, Who who, const Case::Snag& snag) {
  const auto& trouble = *snag.trouble;
  const auto& deed = trouble.deed;
  const bool here = trouble.conn != Mark::nowhere && trouble.conn == index_of(one);
  if (here && reads_again(one, deed))
    return {.aside = true, .doubts = {fmt::format("it was reading again after the failed {}", deed.call)}};
  if (here && moves_or_ends(deed.kind) && lost_before(one, who, deed))
    return {.aside = true, .doubts = {fmt::format("what it had sent before the failed {} was lost", deed.call)}};
  if (here && closed_instead(one, who, deed, one.closer(who)))
    return {.aside = true, .doubts = {fmt::format("it closed behind the failed {}", deed.call)}};
  if (here && moves_or_ends(deed.kind)) return {};
  if (deed.kind == Kind::accept && who == Who::server && one.unaccepted().value_or(false)) return {};
  const auto closer = one.closer(who);
  const auto end = given_up(one, who);
  const auto t = trouble.filter_at ? trouble.filter_at.t : deed.end;
  const bool held = holds_or_kills(trouble, *snag.process);
  Bearing result;
  if (held && snag.process->signal == SIGSYS) return result;
  if (!here && !by_a_thread_of_it(one, who, closer, deed)) {
    result.doubts.push_back(fmt::format("{} failed in a thread that had nothing to do with the connection", deed.call));
    result.aside = true;
  }
  // A connection that is taken only to be closed is no work.
  const bool only_taken = deed.kind == Kind::accept && one.conn.acts[who].users.empty();
  if (got_on(trouble.then, end.value_or(one.until()), only_taken ? index_of(one) : Mark::nowhere)) {
    result.doubts.push_back(fmt::format("the thread got on with its work after the failed {}", deed.call));
    result.aside = true;
  }
  if (!held && !here &&
      (survived_before(*snag.process, trouble) || sibling_survived(one.facts, *snag.process, trouble))) {
    result.doubts.push_back(fmt::format("{} had failed so before, and it had got on", deed.call));
    result.aside = true;
  }
  if (end && !held) weigh_time(deed, t, *end, result);
  if (end && !held && done_without(deed.call) && of_its_own_accord(closer))
    result.doubts.push_back(fmt::format("programs commonly do without what {} is for", deed.call));
  if (!end && !held && !leaves_it_unserved(deed.kind))
    result.doubts.push_back(fmt::format("it kept the connection after the failed {}", deed.call));
  // What an end does not do can hang on the failure all the same, and a crash is not chosen.
  if (!end || !of_its_own_accord(closer)) result.aside = result.late;
  return result;
}

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
  if (end)
    weigh_time(deed, deed.end, *end, result);
  else
    result.doubts.push_back("it did not end the connection over the failed connect");
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
    weigh_time(deed, deed.end, *end, result);
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
