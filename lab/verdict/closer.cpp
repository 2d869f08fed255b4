// Why an end's socket was closed by its holder: a call, an exec, or the end of the process.
#include <algorithm>
#include <cerrno>
#include <csignal>

#include "verdict/case.hpp"
#include "verdict/deeds.hpp"
#include "verdict/unread.hpp"

namespace lab::verdict {
namespace {

using How = Closer::How;

// The closing segment follows within this on the end of the process that held the connection.
constexpr std::int64_t kAtOnce = 100'000'000;

// When the end closed: by its segment, or else not later than the victim complained.
struct Moment {
  bool seen = false;  // on the wire
  std::int64_t t = 0;
  std::optional<std::int64_t> left = {};  // when its socket gave up the connection, as near as that is known
  bool after(std::int64_t earlier) const { return left && earlier + kSlack < *left; }
};

// Somebody else's copy of what others read and wrote: a parent that accepts and forks has one.
bool idle_copy(const Deed& deed, const Acts& acts) {
  return deed.kind == Kind::close && !acts.users.empty() && !acts.users.contains(deed.pid);
}

// An exit may be told long after the signal that brought it.
bool ended_by(const Process& process, std::int64_t t) {
  return process.exited && (process.exited.t <= t ||
                            std::any_of(process.signals.begin(), process.signals.end(), [&](const SignalFacts& one) {
                              return one.sent.signal == process.signal && one.at.t <= t;
                            }));
}

// Whoever used it had ended by the call, or by the closing segment, which waits for the last of the two; and the
// closing process had not taken notice.
bool outlives_its_user(const Facts& facts, const Acts& acts, const Deed& deed, const Moment& at) {
  const auto by = std::max(deed.end, at.seen ? at.t : 0);
  return std::any_of(acts.users.begin(), acts.users.end(), [&](int pid) {
    const auto* user = facts.process(pid);
    return user && ended_by(*user, by) && !(user->reaped && user->reaped.t <= deed.start) &&
           !ended_by(*user, deed.start - kAtOnce);
  });
}

// When it began to end: by its own call, by the signal that killed it, or not later than its end was told.
struct Ending {
  std::int64_t t = 0;
  bool exact = false;
};
std::optional<Ending> ending_of(const Process& process, const Moment& at) {
  if (!process.exited || process.by_lab) return std::nullopt;
  if (process.signal) {
    for (auto one = process.signals.rbegin(); one != process.signals.rend(); ++one)
      if (one->sent.signal == process.signal && one->at.t <= at.t + kSlack) return Ending{one->at.t, true};
  } else if (process.ending) {
    return Ending{process.ending.t, true};
  }
  return Ending{process.exited.t, process.exit_begun};
}

// The closing segment came when it ended.
bool ended_then(const Process& process, const Moment& at) {
  const auto ending = ending_of(process, at);
  if (!ending || !at.left) return false;
  const auto late = *at.left - ending->t;
  return ending->exact ? late >= -kSlack && late <= kAtOnce : late <= kSlack && late >= -kAtOnce;
}

// A close that the segment follows only later left the connection to others, and one of those ended then.
bool left_to_others(const Case& one, Who who, const Deed& deed, const Moment& at) {
  const auto& acts = one.conn.acts[who];
  if (deed.kind != Kind::close || !at.after(deed.end)) return false;
  const auto holders = one.holders(who);
  return std::any_of(holders.begin(), holders.end(), [&](int pid) {
    const auto* process = one.facts.process(pid);
    return process && !acts.let_go(pid) && ended_then(*process, at);
  });
}

// A shutdown sends the FIN whoever else holds the socket; the close of another's copy behind it sends nothing.
bool shut_by_another(const std::optional<Deed>& shut, const std::optional<Deed>& last) {
  return shut && last && last->kind == Kind::close && shut->pid != last->pid;
}

std::optional<Deed> closing_call(const Case& one, Who who, const Moment& at) {
  const auto& facts = one.facts;
  const auto& acts = one.conn.acts[who];
  std::optional<Deed> found, shut;
  // Closing an idle copy sends nothing while the user lives; when it has died, it is not what ended the connection.
  const auto passed_on = [&](const Deed& deed) {
    return idle_copy(deed, acts) && (deed.end + kSlack < at.t || outlives_its_user(facts, acts, deed, at));
  };
  const bool by_reset = at.seen && !one.closing.fin, by_fin = at.seen && one.closing.fin;
  for (const auto& deed : acts.closers) {
    if (deed.start > at.t + kSlack || passed_on(deed) || reads_only(deed) || (by_reset && writes_only(deed)) ||
        left_to_others(one, who, deed, at))
      continue;
    if (found && deed.kind == Kind::close && found->kind == Kind::reset) continue;
    found = deed;
    if (deed.kind == Kind::shut) shut = deed;
  }
  return by_fin && shut_by_another(shut, found) ? shut : found;
}

// An idle copy was the last one: how the user came to lose its own is known where it closed it, or was reaped. One that
// ended long before may have been what the closing process was late to notice.
bool user_accounted_for(const Facts& facts, const Acts& acts, const Deed& deed) {
  if (!idle_copy(deed, acts)) return true;
  return std::all_of(acts.users.begin(), acts.users.end(), [&](int pid) {
    const auto* user = facts.process(pid);
    const bool noticed = user && user->reaped && user->reaped.t <= deed.start;
    return (user && user->exited && (noticed || !ended_by(*user, deed.start))) ||
           std::any_of(acts.closers.begin(), acts.closers.end(), [&](const Deed& own) { return own.pid == pid; });
  });
}

How how_of(const Deed& deed, const Acts& acts) {
  switch (deed.kind) {
    case Kind::shut:
      return How::shutdown;
    case Kind::exec:
      return How::exec;
    case Kind::reset:
      return How::reset;
    default:
      return deed.linger_reset || acts.asked_reset ? How::reset : How::call;
  }
}

std::optional<std::uint64_t> unread_by(const Case& one, Who who) {
  const auto& conn = one.conn;
  if (one.acts_known(who) && conn.stream[who].started)
    if (const auto arrived = conn.stream[other(who)].delivered; arrived >= conn.acts[who].read)
      return arrived - conn.acts[who].read;
  const auto& last = conn.gone[who] ? conn.gone[who] : conn.socket[who];
  if (last && last->state.state != "LISTEN")
    if (const auto unread = unread_in(last->state.state, last->state.receive_queue)) return unread;
  return std::nullopt;
}

// The kernel names the process and the call in which a socket was closed. Without its word: a step is told before its
// process becomes another program, and the longer that takes, the likelier it is that the new program closed it.
bool closed_by_exec(const Case& one, Who who, const Process& process, const Moment& at) {
  const auto& exec = *process.became;
  const auto& told = one.conn.kernel_closed[who];
  if (!told.call.empty()) return told.pid == process.pid && told.call.starts_with("exec");
  return !at.after(exec.step ? exec.end + kAtOnce : exec.end);
}

// Close-on-exec closes without a call on the descriptor, before the new program begins.
const Process* became_another(const Case& one, Who who, const Moment& at) {
  const auto& acts = one.conn.acts[who];
  const auto last_act = std::max({one.conn.began.t, acts.accepted.t, acts.last_read.t, acts.last_write.t});
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !process->became) continue;
    const auto& exec = *process->became;
    if (exec.start < last_act || exec.start > at.t + kSlack) continue;
    if (closed_by_exec(one, who, *process, at)) return process;
  }
  return nullptr;
}

// It came back later than that, or finished the connection on its way: a relay ends its side when the other has ended.
bool lived_on(const Deed& last, const Moment& at) {
  if (last.start > at.t + (at.seen ? kSlack : 0)) return true;
  if (last.pending) return false;
  const bool relays = last.step && last.shown.starts_with("relay");
  return last.end > at.t + (at.seen ? kSlack : 0) || (relays && last.start <= at.t && at.t <= last.end);
}

bool may_have_ended(const Process& process, const Moment& at) {
  if (!process.exited || process.by_lab) return false;
  if (at.seen && !process.exit_begun && process.exited.t + kSlack < at.t) return false;
  if (process.exit_begun && process.exited.t > at.t + kSlack) return false;
  // Its exit is told when it is reaped, but a call that returned later shows that it lived on.
  return !process.last || !lived_on(*process.last, at);
}

// It wrote behind its own shutdown and died of that: the half that it still held was never meant to end so.
bool died_of_its_own_write(const Process* process, const Acts& acts, const Deed& closing) {
  const auto& last = acts.last;
  return process && process->exited && process->signal == SIGPIPE && closing.kind == Kind::shut && last &&
         last->pid == process->pid && last->kind == Kind::write && last->error == EPIPE && last->start >= closing.start;
}

// Its close_range() took the connection with it, as far as the clocks tell.
bool swept_then(const Process& process, const Moment& at) {
  const auto& swept = process.swept;
  return swept && at.left && swept->start <= *at.left + kSlack && !at.after(swept->end);
}

bool others_held(const Case& one, Who who, int pid) {
  const auto holders = one.holders(who);
  return std::any_of(holders.begin(), holders.end(),
                     [&](int each) { return each != pid && !one.conn.acts[who].let_go(each); });
}

// Of several holders, whose end the closing segment did not follow at once may have left it to others.
bool sure_of_end(const Case& one, Who who, const Process& process, const Moment& at) {
  if (swept_then(process, at) || one.conn.acts[who].let_go(process.pid)) return false;
  return !at.left || ended_then(process, at) || !others_held(one, who, process.pid);
}

// The same of a close.
bool sure_of_close(const Case& one, Who who, const Deed& deed, const Moment& at) {
  const auto& acts = one.conn.acts[who];
  if (!user_accounted_for(one.facts, acts, deed)) return false;
  const bool early = deed.kind == Kind::close && at.after(deed.end);
  return !early || !(acts.doubled.contains(deed.pid) || others_held(one, who, deed.pid));
}

// Who was the last to hold it: it ended then, or by a signal, or it ended.
const Process* ended_with_it(const Case& one, Who who, const Moment& at) {
  const auto& told = one.conn.kernel_closed[who];
  const Process* found = nullptr;
  int best = -1;
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !may_have_ended(*process, at)) continue;
    const bool named = !one.closing.both && !told.call.empty() && told.pid == pid, ends = told.call == "exit";
    if (named && !ends) continue;  // it gave the connection up, and lived on
    const int rank = 8 * (named && ends) + 4 * !one.conn.acts[who].let_go(pid) + 2 * ended_then(*process, at) +
                     (process->signal != 0);
    if (rank < best || (rank == best && !process->signal)) continue;
    found = process;
    best = rank;
  }
  return found;
}

Moment moment_of(const Case& one, Who who) {
  const bool seen = one.closing.any && one.closing.from == who;
  const bool first = one.first.from == who && !one.closing.both;
  Moment at{.seen = seen, .t = !seen ? one.until() : first ? one.first.at.t : one.closing.at.t};
  if (seen) at.left = at.t;
  if (one.closing.both) return at;
  // Bytes that are still to be sent hold the FIN back.
  const auto& told = one.conn.kernel_closed[who];
  if (told.at && told.at.t <= at.t) at.left = told.at.t;
  return at;
}

}  // namespace

Closer Case::closer(Who who) const {
  const auto at = moment_of(*this, who);
  const auto& acts = conn.acts[who];
  Closer result{.sure = acts_known(who), .deed = closing_call(*this, who, at), .unread = unread_by(*this, who)};
  if (result.deed) {
    result.process = facts.process(result.deed->pid);
    result.how = how_of(*result.deed, acts);
    if (died_of_its_own_write(result.process, acts, *result.deed)) {
      result.how = How::signalled;
      return result;
    }
    result.sure &= sure_of_close(*this, who, *result.deed, at);
    return result;
  }
  if (const auto* process = became_another(*this, who, at)) {
    result.process = process;
    result.deed = process->became;
    result.how = How::exec;
    return result;
  }
  if (const auto* process = ended_with_it(*this, who, at)) {
    result.process = process;
    result.how = process->signal ? How::signalled : How::exited;
    // What is known of the signal's time says that it came before the socket went.
    for (const auto& one : process->signals)
      if (one.sent.signal == process->signal && one.at.t <= at.t + kSlack) result.sure = true;
    result.sure &= sure_of_end(*this, who, *process, at);
  }
  return result;
}

}  // namespace lab::verdict
