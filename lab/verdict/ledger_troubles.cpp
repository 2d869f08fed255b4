// Calls that failed, and what filters had to do with it.
#include <algorithm>

#include "verdict/ledger.hpp"

namespace lab::verdict {
namespace {

constexpr std::size_t kTroubles = 64, kFailedConnects = 8, kSteps = 4;

bool closes(const Deed& deed) {
  return deed.kind == Kind::close || deed.kind == Kind::shut || deed.kind == Kind::reset;
}

// It got on with a connection.
bool gets_on(const Deed& deed) {
  const bool moves = deed.kind == Kind::read || deed.kind == Kind::write;
  return moves ? deed.bytes > 0 : deed.kind == Kind::accept || deed.kind == Kind::connect;
}

void add_step(Sequel& sequel, std::size_t conn, const Deed& deed) {
  const bool closing = closes(deed);
  const bool known = std::any_of(sequel.steps.begin(), sequel.steps.end(),
                                 [&](const Sequel::Step& s) { return s.conn == conn && s.closes == closing; });
  if (!known && sequel.steps.size() < kSteps) sequel.steps.push_back({.conn = conn, .t = deed.end, .closes = closing});
}

bool blames(const Deed& deed, const Trouble& trouble) {
  const bool one_thread = trouble.deed.tid == deed.tid;
  // A call that a filter answered never begins: only its return is on record, however late its thread was woken.
  const bool never_began = one_thread && deed.start == deed.end;
  return trouble.filtered && !trouble.known_call && trouble.deed.pid == deed.pid &&
         (one_thread || !deed.tid || !trouble.deed.tid) && trouble.deed.error == deed.error &&
         kind_of_call(trouble.deed.call) == kind_of_call(deed.call) &&
         (never_began || trouble.filter_at.t >= deed.start - 1'000'000) && trouble.filter_at.t <= deed.end + 1'000'000;
}

// Whether a failure says more than that the peer or the path is gone, or that the program made a mistake.
bool worth_telling(const Deed& deed, bool own) {
  if (harmless(deed)) return false;
  own = own && (deed.kind == Kind::read || deed.kind == Kind::write || deed.kind == Kind::accept ||
                deed.kind == Kind::connect);
  if (own && (connection_gone(deed.error) || path_error(deed.error) || misuse(deed.error))) return false;
  if (!own && !shortage(deed) && deed.kind != Kind::accept && deed.kind != Kind::connect) return false;
  return deed.kind != Kind::connect || !path_error(deed.error);  // the network's doing
}

}  // namespace

void Ledger::note_trouble(Process& proc, const Deed& deed, const Address& local, const Address& peer, Found on) {
  if (deed.pending) return;
  if (deed.error == 0) {
    for (auto& one : proc.troubles) {
      if (one.made_good || one.deed.call != deed.call) continue;
      if (!one.filter_action.empty() && one.filter_action != "errno") continue;
      // Another thread's success mends nothing for the one that failed.
      if (one.conn == Mark::nowhere ? one.deed.tid == deed.tid : (on.conn && one.conn == index_of(*on.conn)))
        one.made_good = {.t = deed.end, .event = deed.mark.event};
    }
    return;
  }
  const auto blamed =
      std::find_if(proc.troubles.rbegin(), proc.troubles.rend(), [&](const Trouble& t) { return blames(deed, t); });
  if (blamed != proc.troubles.rend()) {
    blamed->deed = deed;
    blamed->known_call = true;
    if (on.conn) {
      blamed->conn = index_of(*on.conn);
      blamed->who = on.from;
    }
    return;
  }
  if (deed.began && !worth_telling(deed, on.conn != nullptr)) return;
  if (proc.troubles.size() >= kTroubles) proc.troubles.erase(proc.troubles.begin() + kTroubles / 2);
  Trouble one{.deed = deed, .known_call = true, .local = local, .peer = peer};
  if (!deed.began) {
    one.filtered = true;
    one.filter_action = "errno";
    one.filter_at = deed.mark;
  }
  if (on.conn) {
    one.conn = index_of(*on.conn);
    one.who = on.from;
  }
  proc.troubles.push_back(std::move(one));
}

void Ledger::note_failed_connect(Process& proc, const Deed& deed, const Conn* conn) {
  auto& all = proc.failed_connects;
  if (all.size() >= kFailedConnects) all.erase(all.begin());
  all.push_back({.deed = deed,
                 .local = local_.contains({deed.pid, deed.fd}),
                 .conn = conn ? index_of(*conn) : Mark::nowhere,
                 .then = {}});
}

// What the thread does next says whether it got over a failure.
void Ledger::note_sequel(Process& proc, const Deed& deed, const Conn& conn) {
  if (deed.error || deed.pending || deed.timed_out || (!closes(deed) && !gets_on(deed))) return;
  if (proc.troubles.empty() && proc.failed_connects.empty()) return;
  const auto index = index_of(conn);
  for (auto& one : proc.troubles)
    if (one.deed.tid == deed.tid && deed.end > one.deed.end) add_step(one.then, index, deed);
  for (auto& one : proc.failed_connects)
    if (one.deed.tid == deed.tid && deed.end > one.deed.end) add_step(one.then, index, deed);
}

void Ledger::note_next(Process& proc, const Deed& step) {
  const auto note = [&](auto& failed) {
    const auto& deed = failed.deed;
    if (deed.step && deed.tid == step.tid && step.start >= deed.end && !failed.then.next) failed.then.next = step.start;
  };
  for (auto& one : proc.troubles) note(one);
  for (auto& one : proc.failed_connects) note(one);
}

void Ledger::take(const evidence::FilterAct& act, Mark mark) {
  if (act.action == "allow" || act.action == "log") return;
  auto& proc = process(act.pid);
  Trouble one{.filtered = true,
              .filter_action = act.action,
              .filter_count = act.count,
              .filter_at = mark,
              .local = act.local,
              .peer = act.peer};
  one.deed = {.kind = kind_of_call(act.call),
              .shown = act.call,
              .call = act.call,
              .pid = act.pid,
              .tid = act.tid,
              .fd = act.fd,
              .error = act.error,
              .start = mark.t,
              .end = mark.t,
              .mark = mark};
  const auto found = place({.kind = Kind::other, .pid = act.pid, .fd = act.fd, .mark = mark},
                           act.local.port && act.peer.port ? act.local : Address{}, act.peer);
  if (found.conn && (one.deed.kind == Kind::read || one.deed.kind == Kind::write || one.deed.kind == Kind::shut ||
                     one.deed.kind == Kind::close || one.deed.kind == Kind::poll)) {
    one.conn = index_of(*found.conn);
    one.who = found.from;
  }
  // The call may have been recorded first: the step's own clock reads before the notifier's.
  for (auto& earlier : proc.troubles)
    if ((!earlier.filtered || !earlier.deed.began) && earlier.deed.error == act.error &&
        kind_of_call(earlier.deed.call) == one.deed.kind && earlier.deed.start <= mark.t &&
        mark.t <= earlier.deed.end + 1'000'000) {
      earlier.filtered = true;
      earlier.filter_action = act.action;
      earlier.filter_count = act.count;
      earlier.filter_at = mark;
      return;
    }
  if (proc.troubles.size() >= kTroubles) proc.troubles.erase(proc.troubles.begin() + kTroubles / 2);
  proc.troubles.push_back(std::move(one));
}

}  // namespace lab::verdict
