#include "verdict/ending.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>

#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

using How = Closer::How;

// A call's end is told by another clock than a segment's, and behind what it did.
constexpr std::int64_t kClocks = 1'000'000;

bool of_another(const SignalFacts& signal, const Process& process) {
  return !signal.sent.by_kernel && signal.sent.sender && signal.sent.sender != process.pid;
}

// By a process that meant to: what had failed the victim before is not what it died of.
const SignalFacts* ended_by_another(const Closer& closer) {
  if (closer.how != How::signalled || !closer.process) return nullptr;
  const auto& all = closer.process->signals;
  const auto at = std::find_if(all.begin(), all.end(), [&](const SignalFacts& signal) {
    return signal.sent.signal == closer.process->signal && of_another(signal, *closer.process);
  });
  return at == all.end() ? nullptr : &*at;
}

// A handler may end it, and fail on its way out.
const SignalFacts* told_to_go(const Process& process, std::int64_t t) {
  const auto& all = process.signals;
  const auto at = std::find_if(all.begin(), all.end(), [&](const SignalFacts& signal) {
    const int number = signal.sent.signal;
    const bool asks = number == SIGTERM || number == SIGINT || number == SIGHUP || number == SIGQUIT;
    return asks && of_another(signal, process) && signal.at.t <= t && t - signal.at.t <= kTolerated;
  });
  return at == all.end() ? nullptr : &*at;
}

// The call that ended it, where it was one.
const Deed* ending_call(const Closer& closer) {
  if (closer.deed) return &*closer.deed;
  const auto* process = closer.how == How::exited ? closer.process : nullptr;
  return process && process->last && process->last->kind == Kind::exit ? &*process->last : nullptr;
}

// Its calls are known, and it made no child and no thread.
bool alone(const Facts& facts, const Process& process) {
  return facts.complete("syscalls") && process.calls && !process.steps && process.children.empty();
}

// Its connect told it, by `t`, that the other end refused.
bool knew_refused(const Acts& acts, std::int64_t t) {
  return acts.connect && acts.connect->error && !acts.connected && !acts.connect->pending && acts.connect->end <= t;
}

// The other end of one of its connections had gone by `until`, and it had not been told so by `from`.
bool left_by_another(const Conn& conn, int pid, std::int64_t from, std::int64_t until) {
  const auto left = [&](Who who) {
    const auto& acts = conn.acts[who];
    const auto& peer = conn.stream[other(who)];
    const bool went = (peer.fin && peer.fin.t <= until) || (peer.rst && peer.rst.t <= until);
    const bool knew = (acts.met_end && acts.met_end.t <= from) || knew_refused(acts, from);
    return acts.pids.contains(pid) && went && !knew;
  };
  return left(Who::client) || left(Who::server);
}

// Nobody else held that end, as far as can be told.
bool sole_holder(const Case& one, Who who, int pid) {
  const auto& pids = one.conn.acts[who].pids;
  const auto holders = one.holders(who);
  const auto is_it = [&](int each) { return each == pid; };
  return std::all_of(pids.begin(), pids.end(), is_it) && std::all_of(holders.begin(), holders.end(), is_it);
}

}  // namespace

bool undisturbed(const Facts& facts, const Process& process, std::int64_t from, std::int64_t until) {
  if (!alone(facts, process) || !facts.complete("wire") || !facts.complete("signals")) return false;
  const auto& signals = process.signals;
  return std::none_of(signals.begin(), signals.end(),
                      [&](const SignalFacts& one) { return one.at.t > from && one.at.t <= until; }) &&
         std::none_of(facts.conns.begin(), facts.conns.end(),
                      [&](const Conn& conn) { return left_by_another(conn, process.pid, from, until); });
}

std::size_t index_of(const Case& one) {
  for (std::size_t i = 0; i < one.facts.conns.size(); ++i)
    if (&one.facts.conns[i] == &one.conn) return i;
  return Mark::nowhere;
}

std::optional<std::int64_t> given_up(const Case& one, Who who) {
  if (!one.gone()) return std::nullopt;
  return one.closing.any && one.closing.from == who ? one.closing.at.t : one.until();
}

int ending_thread(const Closer& closer) {
  if (closer.deed) return closer.deed->tid;
  const bool exited = closer.how == How::exited && closer.process && closer.process->last;
  return exited ? closer.process->last->tid : 0;
}

bool straight(const Deed& failed, const Sequel& then, const Closer& closer) {
  if (!failed.step) return false;  // a program does more than what is seen of it
  const auto next = [&](const Deed& deed) {
    return deed.step && deed.tid == failed.tid && deed.index == failed.index + 1 && then.next == deed.start;
  };
  if (closer.deed) return next(*closer.deed);
  if (closer.how != How::exited || !closer.process || !closer.process->last) return false;
  const auto& last = *closer.process->last;
  const bool itself = last.tid == failed.tid && last.start == failed.start;
  return last.pid == failed.pid && (itself || (last.kind == Kind::exit && next(last)));
}

// An execve gives its thread the number of the first one, not its account.
std::int64_t queued_between(const Deed& first, const Deed& then) {
  const auto wait = then.start_queued - first.queued;
  const bool told = first.tid == then.tid && first.queued >= 0 && wait >= 0 && wait <= then.start - first.end;
  return told ? wait : 0;
}

std::int64_t to_itself(const Case& one, Who who, const Deed& failed, const Sequel& then, const Closer& closer,
                       std::int64_t passed) {
  if (straight(failed, then, closer)) return 0;
  const auto* end = ending_call(closer);
  if (!end || !closer.process || end->pid != failed.pid || end->start < failed.end) return passed;
  if (!undisturbed(one.facts, *closer.process, failed.end, end->start)) return passed;
  const bool gone_with_it = !closer.deed && sole_holder(one, who, failed.pid);
  const auto until = gone_with_it ? std::min(passed, end->start - failed.end) : passed;
  return until - queued_between(failed, *end);
}

void weigh_time(const Deed& failed, std::int64_t t, std::int64_t until, std::int64_t to_itself, Bearing& result) {
  const auto passed = until - t;
  if (passed < -kClocks) {
    result.doubts.push_back(fmt::format("{} failed when it had ended", failed.call));
    result.aside = result.late = true;
  }
  if (to_itself <= kGivesUp && passed <= kTolerated) return;
  result.doubts.push_back(fmt::format("{} went by between the failed {} and the end", span_text(passed), failed.call));
  result.aside |= passed > kTolerated;
}

bool weigh_others(const Case& one, Who who, const Closer& closer, std::int64_t t, Bearing& result) {
  const auto& all = one.conn.complaints;
  const bool waited = std::any_of(all.begin(), all.end(), [&](const Complaint& own) {
    return own.victim == who && own.what == Complaint::What::starved && own.at.t <= t && t - own.at.t <= kTolerated;
  });
  if (waited) result.doubts.push_back(fmt::format("the {} had waited in vain before it", name_of(who)));
  if (closer.process)
    if (const auto* told = told_to_go(*closer.process, t))
      result.doubts.push_back(
          fmt::format("process {} had sent it {} before", told->sent.sender, signal_title(told->sent.signal)));
  const auto* ended = ended_by_another(closer);
  // Nobody gives up by it: who sent it need not be known.
  const bool killed = closer.how == How::signalled && closer.process && closer.process->signal == SIGKILL;
  if (ended)
    result.doubts.push_back(
        fmt::format("process {} ended it by {}", ended->sent.sender, signal_title(ended->sent.signal)));
  else if (killed)
    result.doubts.push_back("it was ended by SIGKILL");
  result.aside |= ended || killed;
  return ended || killed;
}

}  // namespace lab::verdict
