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

// The clocks of a packet's capture and of a program's own reading agree to a fraction of this.
constexpr std::int64_t kSlack = 300'000;

// When the end closed: by its segment, or else not later than the victim complained.
struct Moment {
  bool seen = false;  // on the wire
  std::int64_t t = 0;
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
    return user && ended_by(*user, by) && !(user->reaped && user->reaped.t <= deed.start);
  });
}

std::optional<Deed> closing_call(const Facts& facts, const Acts& acts, const Moment& at) {
  std::optional<Deed> found;
  // Closing an idle copy sends nothing while the user lives; when it has died, it is not what ended the connection.
  const auto passed_on = [&](const Deed& deed) {
    return idle_copy(deed, acts) && (deed.end + kSlack < at.t || outlives_its_user(facts, acts, deed, at));
  };
  for (const auto& deed : acts.closers) {
    if (deed.start > at.t + kSlack || passed_on(deed) || reads_only(deed)) continue;
    if (found && deed.kind == Kind::close && found->kind == Kind::reset) continue;
    found = deed;
  }
  return found;
}

// An idle copy was the last one: how the user came to lose its own is known where it closed it, or was reaped.
bool user_accounted_for(const Facts& facts, const Acts& acts, const Deed& deed) {
  if (!idle_copy(deed, acts)) return true;
  return std::all_of(acts.users.begin(), acts.users.end(), [&](int pid) {
    const auto* user = facts.process(pid);
    return (user && user->exited) ||
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

// Close-on-exec closes without a call on the descriptor.
const Process* became_another(const Case& one, Who who, const Moment& at) {
  const auto& acts = one.conn.acts[who];
  const auto last_act = std::max({one.conn.began.t, acts.accepted.t, acts.last_read.t, acts.last_write.t});
  for (const int pid : one.holders(who)) {
    const auto* process = one.facts.process(pid);
    if (!process || !process->became) continue;
    if (process->became->start >= last_act && process->became->start <= at.t + kSlack) return process;
  }
  return nullptr;
}

// It came back later than that, or finished the connection on its way: a relay ends its side when the other has ended.
bool lived_on(const Deed& last, const Moment& at) {
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

}  // namespace

Closer Case::closer(Who who) const {
  const bool seen = closing.any && closing.from == who;
  const Moment at{.seen = seen, .t = !seen ? until() : first.from == who ? first.at.t : closing.at.t};
  const auto& acts = conn.acts[who];
  Closer result{.sure = acts_known(who), .deed = closing_call(facts, acts, at), .unread = unread_by(*this, who)};
  if (result.deed) {
    result.process = facts.process(result.deed->pid);
    result.how = how_of(*result.deed, acts);
    if (died_of_its_own_write(result.process, acts, *result.deed)) {
      result.how = How::signalled;
      return result;
    }
    result.sure &= user_accounted_for(facts, acts, *result.deed);
    return result;
  }
  if (const auto* process = became_another(*this, who, at)) {
    result.process = process;
    result.deed = process->became;
    result.how = How::exec;
    return result;
  }
  for (const int pid : holders(who)) {
    const auto* process = facts.process(pid);
    if (!process || !may_have_ended(*process, at)) continue;
    const bool signalled = process->signal != 0;
    if (result.process && !signalled) continue;
    result.process = process;
    result.how = signalled ? How::signalled : How::exited;
    // What is known of the signal's time says that it came before the socket went.
    for (const auto& one : process->signals)
      if (one.sent.signal == process->signal && one.at.t <= at.t + kSlack) result.sure = true;
  }
  return result;
}

}  // namespace lab::verdict
