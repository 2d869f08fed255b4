#include "verdict/bearing.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iterator>
#include <string_view>

#include "verdict/ending.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

using How = Closer::How;

bool of_its_own_accord(const Closer& closer) { return closer.how != How::unknown && closer.how != How::signalled; }

bool by_a_thread_of_it(const Case& one, Who who, const Closer& closer, const Deed& deed) {
  const auto& threads = one.conn.acts[who].threads;
  const int ending = ending_thread(closer);
  // Where nobody ever touched it the first thread is the one that takes connections, as far as can be told.
  const bool first = threads.empty() && (deed.tid == deed.pid || deed.kind == Kind::accept);
  return !deed.tid || first || threads.contains(deed.tid) || threads.contains(0) || ending == deed.tid;
}

bool got_on(const Sequel& then, std::int64_t until, std::size_t but_on = Mark::nowhere) {
  return std::any_of(then.steps.begin(), then.steps.end(), [&](const Sequel::Step& s) {
    return !s.closes && s.t < until && (s.conn != but_on || s.conn == Mark::nowhere);
  });
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
  if (deed.kind == Kind::accept && who == Who::server && one.unaccepted().value_or(false)) {
    if (deed.end >= one.conn.began.t || !got_on(trouble.then, one.until())) return {};
    return {.aside = true,
            .doubts = {fmt::format("{} had failed before the connection was there, and it had got on", deed.call)}};
  }
  const auto closer = one.closer(who);
  const auto end = given_up(one, who);
  const auto t = trouble.filter_at ? trouble.filter_at.t : deed.end;
  const bool held = holds_or_kills(trouble, *snag.process);
  Bearing result;
  if (held && snag.process->signal == SIGSYS) return result;
  if (!here && !by_a_thread_of_it(one, who, closer, deed)) {
    result.doubts.push_back(fmt::format("{} failed in a thread that had nothing to do with the connection", deed.call));
    result.aside = !held || !one.conn.acts[who].threads.empty();
  }
  const int ending = ending_thread(closer);
  const bool others = (closer.deed && closer.deed->pid != deed.pid) || (ending && deed.tid && ending != deed.tid);
  if (!here && !held && end && others)
    result.doubts.push_back(fmt::format("another thread than the one whose {} failed ended the connection", deed.call));
  if (held && !one.conn.acts[who].users.contains(snag.process->pid) && one.holders(who).size() > 1)
    result.doubts.push_back(fmt::format("whether process {} was to serve it is not known", snag.process->pid));
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
  if (end && !held) weigh_time(deed, t, *end, to_itself(one, who, deed, trouble.then, closer, *end - t), result);
  const bool meant = end && !held && weigh_others(one, who, closer, t, result);
  if (end && !held && done_without(deed.call))
    result.doubts.push_back(fmt::format("programs commonly do without what {} is for", deed.call));
  if (!end && !held && !leaves_it_unserved(deed.kind))
    result.doubts.push_back(fmt::format("it kept the connection after the failed {}", deed.call));
  // What an end does not do can hang on the failure all the same, and a crash is not chosen.
  if (!end || (!of_its_own_accord(closer) && !meant)) result.aside = result.late;
  return result;
}

}  // namespace lab::verdict
