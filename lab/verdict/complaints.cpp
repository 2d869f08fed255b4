// Who was let down. A connection nobody complains about ended as both meant it to.
#include <algorithm>
#include <cerrno>
#include <csignal>

#include "verdict/bearing.hpp"
#include "verdict/case.hpp"
#include "verdict/deeds.hpp"
#include "verdict/kept_from.hpp"
#include "verdict/tls.hpp"

namespace lab::verdict {
namespace {

using What = Complaint::What;

// Silence on the wire shorter than this is thinking, not waiting.
constexpr std::int64_t kPatience = 200'000'000;

// It had waited until another thread of it shut the connection down under it.
Complaint shut_under_it(const Case& one, Complaint c) {
  const auto* shut = c.what == What::eof && c.deed ? own_shutdown(one, c.victim, c.at.t) : nullptr;
  if (!shut || !waited_long(one.conn.acts[c.victim], *c.deed, shut->start)) return c;
  c.what = What::starved;
  c.at.t = c.deed->end = shut->start;
  c.deed->eof = false;
  c.deed->timed_out = c.deed->passing = true;
  c.deed->bytes = -1;
  return c;
}

// What it sent since, a FIN mostly, is on its way, and not lost.
void leave_out_later(Complaint& c) {
  auto& own = c.then[c.victim];
  if (c.what == What::starved && own.open && own.open_since.t >= c.at.t) own.open = false;
}

bool stands(const Case& one, const Complaint& c) {
  if (c.made_good) return false;
  switch (c.what) {
    case What::eof:
      return c.owed && !(c.deed && own_shutdown(one, c.victim, c.at.t));
    case What::starved:
      return c.owed || kept_from(one, c.victim, c.at.t, c.then);
    default:
      return true;
  }
}

class Docket {
 public:
  explicit Docket(const Case& one)
      : one_(one), conn_(one.conn), end_(one.facts.stopping ? one.facts.stopping : Mark{}) {
    if (!end_) end_.t = one.facts.last_ns;
  }
  std::vector<Complaint> all() {
    for (const auto& told : conn_.complaints) {
      auto c = shut_under_it(one_, told);
      leave_out_later(c);
      if (stands(one_, c)) list_.push_back(std::move(c));
    }
    cuts();
    deaths();
    waits();
    if (list_.empty()) left();
    if (list_.empty()) refusals();
    if (list_.empty()) on_the_wire();
    if (list_.empty()) stuck();
    return std::move(list_);
  }

 private:
  void add(What what, Who victim, Mark at, const Both<Progress>& then, bool weak, std::optional<Deed> deed = {}) {
    list_.push_back(
        {.what = what, .victim = victim, .at = at, .deed = std::move(deed), .owed = !weak, .weak = weak, .then = then});
  }
  Both<Progress> at_closing() const { return conn_.at_closing.value_or(progress_of(conn_)); }

  // Both ends have said all, read all, and closed: a reset that follows answers a repetition of something old.
  bool all_said_and_read() const {
    if (!one_.acts_known(Who::client) || !one_.acts_known(Who::server)) return false;
    const auto &client = conn_.acts.client, &server = conn_.acts.server;
    const auto ended = [&](Who who) { return conn_.stream[who].fin || !conn_.acts[who].closers.empty(); };
    return ended(Who::client) && ended(Who::server) && client.written > 0 && server.written > 0 &&
           client.written == server.read && server.written == client.read;
  }

  void cuts() {
    if (all_said_and_read()) return;
    for (const Who who : {Who::client, Who::server}) {
      const auto& stream = conn_.stream[who];
      if (!stream.rst || only_took_leave(one_, other(who))) continue;
      if (!conn_.handshake)
        add(What::no_connect, other(who), stream.rst, progress_of(conn_), true);
      else
        add(What::cut, other(who), stream.rst, at_closing(), false);
    }
  }

  // A killed process did not mean to end, whether or not somebody noticed.
  void deaths() {
    if (!conn_.handshake || !list_.empty()) return;
    for (const Who who : {Who::client, Who::server}) {
      if (who == Who::server && one_.unaccepted().value_or(true)) continue;
      const auto closer = one_.closer(who);
      if (!closer.process || (one_.closing.any && one_.closing.from != who)) continue;
      const auto at = one_.closing.any ? one_.closing.at : closer.process->exited;
      const bool killed = closer.how == Closer::How::signalled;
      if ((closer.process->signal == SIGALRM || failed(who, *closer.process, at.t)) &&
          ran_out(who, *closer.process, at))
        continue;
      if (killed) add(What::died, who, at, at_closing(), false);
    }
  }

  bool owed(Who who, const Deed& pending) const {
    return pending.kind == Kind::write || is_owed(conn_.acts[who], who, pending);
  }

  // It ended itself, and says that it did not go well, while a thread of it had waited for some time.
  bool failed(Who who, const Process& process, std::int64_t t) const {
    const auto& acts = conn_.acts[who];
    return !process.signal && process.status && acts.pending && waited_long(acts, *acts.pending, t);
  }

  // Its own alarm, or a thread that looks at the time, ended it in a call that waited: it gave up, and complains of
  // what it waited for.
  bool ran_out(Who who, const Process& process, Mark at) {
    const auto& acts = conn_.acts[who];
    if (!acts.pending || acts.pending->pid != process.pid) return false;
    if (!owed(who, *acts.pending) && !kept_from(one_, who, at.t, at_closing())) return false;
    auto deed = *acts.pending;
    deed.passing = process.signal != SIGALRM;
    deed.pending = false;
    deed.timed_out = true;
    deed.end = at.t;
    add(What::starved, who, at, at_closing(), false, std::move(deed));
    return true;
  }

  // Whoever spoke TLS and got a fatal alert was owed a session.
  void refusals() {
    for (const Who who : {Who::client, Who::server})
      if (one_.closing.any && one_.closing.fin && alerted(conn_, who, one_.closing.at.t))
        add(What::eof, other(who), one_.closing.at, at_closing(), false);
  }

  // Calls that had not come back when the run ended.
  void waits() {
    for (const Who who : {Who::client, Who::server}) {
      const auto pending = conn_.acts[who].pending ? conn_.acts[who].pending : held_wait(who);
      if (!pending || !conn_.handshake) continue;
      const auto* process = one_.facts.process(pending->pid);
      if (process && process->exited && !process->by_lab && process->exited.t < end_.t) continue;
      if (pending->kind == Kind::write && held_in(one_, who, *pending)) continue;
      const auto then = progress_of(conn_);
      if (owed(who, *pending) || kept_from(one_, who, end_.t, then))
        add(What::starved, who, end_, then, false, pending);
    }
    const auto& connect = conn_.acts.client.connect;
    if (!connect || conn_.handshake || !list_.empty()) return;
    // A connect that goes on behind a poll has no word of its own: closing what never was connected is giving up.
    const auto& closers = conn_.acts.client.closers;
    if (connect->pending || connect->error == EINPROGRESS || connect->error == EINTR)
      add(What::no_connect, Who::client, closers.empty() ? end_ : closers.front().mark, progress_of(conn_), false,
          connect);
  }

  bool of_its_threads(Who who, const Deed& deed) const {
    const auto& threads = conn_.acts[who].threads;
    return !deed.tid || threads.contains(deed.tid);
  }

  // A filter holds a call that never began: no call tells of it.
  std::optional<Deed> held_wait(Who who) const {
    if (!conn_.acts[who].closers.empty()) return std::nullopt;
    for (const auto& snag : one_.snags(who)) {
      auto deed = snag.trouble->deed;
      const bool waits = deed.kind == Kind::read || deed.kind == Kind::poll;
      if (waits && of_its_threads(who, deed) && held_in(one_, who, deed)) {
        deed.pending = true;
        return deed;
      }
    }
    return std::nullopt;
  }

  // A filter failed the call that it would have waited in, and it went at once.
  const Trouble* failed_wait(std::int64_t t) const {
    for (const auto& snag : one_.snags(Who::client)) {
      const auto& one = *snag.trouble;
      const auto got_on = [&](const Sequel::Step& step) { return !step.closes && step.t < t; };
      if (one.filtered && one.filter_action == "errno" && one.deed.kind == Kind::poll &&
          of_its_threads(Who::client, one.deed) && one.filter_at.t <= t && t - one.filter_at.t <= kGivesUp &&
          std::none_of(one.then.steps.begin(), one.then.steps.end(), got_on))
        return &one;
    }
    return nullptr;
  }

  // A client that goes without what it asked for, while something keeps it from it: that it waited is not told.
  void left() {
    if (!one_.acts_known(Who::client)) return;
    const auto& acts = conn_.acts.client;
    const auto at = departure(one_, Who::client);
    const auto& theirs = conn_.stream.server;
    const bool second = (theirs.fin && theirs.fin.t <= at.t) || (theirs.rst && theirs.rst.t <= at.t);
    if (!conn_.handshake || !at || second || all_said_and_read() || !is_owed(acts, Who::client, {})) return;
    if (const auto* failed = failed_wait(at.t))
      return add(What::failed, Who::client, failed->filter_at, at_closing(), false, failed->deed);
    Complaint c{.what = What::starved, .victim = Who::client, .at = at, .left = true, .then = at_closing()};
    leave_out_later(c);
    if (kept_from(one_, Who::client, at.t, c.then)) list_.push_back(std::move(c));
  }

  // Without the client's own word: an answer was due by what went over the wire.
  void on_the_wire() {
    const auto& c = conn_.stream.client;
    const auto& s = conn_.stream.server;
    if (!conn_.wire) return;
    if (!conn_.handshake) {
      if (!conn_.acts.client.any && c.syns)
        add(What::no_connect, Who::client,
            s.rst           ? s.rst
            : c.last_repeat ? c.last_repeat
                            : c.syn,
            progress_of(conn_), true);
      return;
    }
    const bool unanswered = c.first_data && (!s.last_data || s.last_data.t < c.last_data.t);
    // A client that relays, or reads where nobody looks, has no word of its own.
    const auto& acts = conn_.acts.client;
    const bool silent = acts.read == 0 && acts.written == 0 && c.bytes > 0;
    const bool client_known = one_.acts_known(Who::client) && !silent;
    const auto& closing = one_.closing;
    if (closing.any && closing.fin && closing.from == Who::server && !client_known && (unanswered || !s.first_data) &&
        (!c.fin || closing.at.t < c.fin.t))
      return add(What::eof, Who::client, closing.at, at_closing(), true);
    if (!unanswered || client_known) return;
    if (closing.any && closing.from == Who::client && closing.at.t - c.last_data.t > kPatience)
      return add(What::starved, Who::client, closing.at, at_closing(), true);
    if (!closing.any && end_.t - c.last_data.t > kPatience)
      add(What::starved, Who::client, end_, progress_of(conn_), true);
  }

  // Nobody waited, yet bytes or a FIN never got across.
  void stuck() {
    if (!conn_.handshake) return;
    for (const Who who : {Who::client, Who::server}) {
      const auto& stream = conn_.stream[who];
      const auto& receiver = conn_.acts[other(who)];
      // What is lost on the way to an end that has finished is no loss.
      if (conn_.stream[other(who)].fin || !receiver.closers.empty()) continue;
      const bool repeated = stream.open() && stream.repeats > 0 && end_.t - stream.open_since.t > kPatience;
      const bool eaten = std::any_of(conn_.hits.begin(), conn_.hits.end(),
                                     [&](const Hits& h) { return h.open_first && h.from == who && (h.data || h.fin); });
      // Never on the wire, but the socket tries and tries: an output hook, a route.
      const auto& seen = conn_.socket[who];
      const bool tries = seen && seen->state.when == "end" && seen->state.backoff + seen->state.retransmits > 0 &&
                         (seen->state.unacked || seen->state.not_sent) && conn_.stream[other(who)].window != 0;
      if (repeated || eaten || tries) return add(What::starved, who, end_, progress_of(conn_), true);
    }
  }

  const Case& one_;
  const Conn& conn_;
  Mark end_;
  std::vector<Complaint> list_;
};

}  // namespace

std::vector<Complaint> complaints(const Case& one) { return Docket(one).all(); }

}  // namespace lab::verdict
