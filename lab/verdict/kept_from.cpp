#include "verdict/kept_from.hpp"

#include <algorithm>

#include "verdict/deeds.hpp"

namespace lab::verdict {
namespace {

// One that used that end let go of its direction. Who never did closes an idle copy.
bool closed_by(const Case& one, Who who, std::int64_t t) {
  const auto& acts = one.conn.acts[who];
  return std::any_of(acts.closers.begin(), acts.closers.end(), [&](const Deed& deed) {
    const bool idle = !acts.users.empty() && !acts.users.contains(deed.pid);
    return deed.kind != Kind::exec && !reads_only(deed) && deed.end <= t && !idle;
  });
}

bool missing_towards(const Case& one, Who victim, std::int64_t t, const Both<Progress>& then) {
  const auto& conn = one.conn;
  const Who peer = other(victim);
  const auto& stream = conn.stream[peer];
  const bool known = stream.syns && one.acts_known(peer) && !then[peer].writing;
  return std::any_of(conn.hits.begin(), conn.hits.end(), [&](const Hits& hits) {
    if (!hits.open_first || hits.from != peer) return false;
    if (hits.open_first.read_time && hits.data && known) return written_by(conn, hits, then);
    if (hits.open_first.read_time && hits.fin && !hits.data && known) return closed_by(one, peer, t);
    return hits.open_first.t <= t || hits.open_first.read_time;
  });
}

bool stopped(const Facts& facts, const std::set<int>& pids, std::int64_t t) {
  return std::any_of(pids.begin(), pids.end(), [&](int pid) {
    const auto* process = facts.process(pid);
    return process && process->stopped_at(t);
  });
}

// A filter failed or held the call that would have ended its direction, or the call never came back.
bool kept_from_closing(const Case& one, Who who, std::int64_t t) {
  for (const int pid : one.holders(who))
    if (const auto* process = one.facts.process(pid); process && !(process->exited && !process->by_lab))
      for (const auto& [tid, deed] : process->inside)
        if ((deed.kind == Kind::close || deed.kind == Kind::shut) && deed.start <= t) return true;
  const auto snags = one.snags(who);
  return std::any_of(snags.begin(), snags.end(), [&](const Case::Snag& snag) {
    const auto kind = snag.trouble->deed.kind;
    return snag.trouble->filtered && (kind == Kind::close || kind == Kind::shut) && snag.trouble->filter_at.t <= t;
  });
}

bool stalled(const Case::Snag& snag) { return snag.trouble->filtered && snag.trouble->filter_action == "stall"; }

// A filter leaves a call of that end without an answer.
bool held_by_a_filter(const Case& one, Who who, std::int64_t t) {
  const auto snags = one.snags(who);
  return std::any_of(snags.begin(), snags.end(),
                     [&](const Case::Snag& snag) { return stalled(snag) && snag.trouble->filter_at.t <= t; });
}

}  // namespace

bool kept_from(const Case& one, Who victim, std::int64_t t, const Both<Progress>& then) {
  const Who peer = other(victim);
  if (then[peer].open && then[peer].repeats) return true;
  if (missing_towards(one, victim, t, then) || stopped(one.facts, one.holders(peer), t)) return true;
  if (kept_from_closing(one, peer, t) || held_by_a_filter(one, peer, t) || one.deserted_by(peer, t)) return true;
  const auto& stream = one.conn.stream[peer];
  if (then[peer].writing && then[victim].window != 0) return true;
  // It wrote more than the wire carried, or closed and no FIN came by: an output hook, a route, a policy.
  if (!one.wire_complete || !one.conn.wire) return false;
  if (then[peer].written > then[peer].sent && then[victim].window != 0) return true;
  return closed_by(one, peer, t) && !stream.fin && !stream.rst && !one.conn.stream[victim].rst;
}

Mark departure(const Case& one, Who who) {
  const auto& closers = one.conn.acts[who].closers;
  const auto last = std::find_if(closers.rbegin(), closers.rend(),
                                 [](const Deed& deed) { return !writes_only(deed) && !reads_only(deed); });
  if (last != closers.rend()) return {.t = last->start, .event = last->mark.event};
  const auto closer = one.closer(who);
  return closer.process ? closer.process->exited : Mark{};
}

const Deed* own_shutdown(const Case& one, Who who, std::int64_t t) {
  const auto& closers = one.conn.acts[who].closers;
  const auto& fin = one.conn.stream[other(who)].fin;
  const auto shut = std::find_if(closers.begin(), closers.end(), [&](const Deed& deed) {
    return deed.kind == Kind::shut && !writes_only(deed) && deed.start <= t;
  });
  return shut == closers.end() || (fin && fin.t < shut->start) ? nullptr : &*shut;
}

bool held_in(const Case& one, Who who, const Deed& pending) {
  const auto snags = one.snags(who);
  return std::any_of(snags.begin(), snags.end(), [&](const Case::Snag& snag) {
    return stalled(snag) && snag.process->pid == pending.pid && snag.trouble->deed.call == pending.call &&
           (!snag.trouble->deed.tid || snag.trouble->deed.tid == pending.tid);
  });
}

}  // namespace lab::verdict
