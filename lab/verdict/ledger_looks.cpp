// What programs do around a transfer: they wait for bytes or room in poll, and ask what became of a connect.
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "verdict/bearing.hpp"
#include "verdict/ledger.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {

// A send that did not take all it was given, or nothing (EAGAIN), found the buffer full. One that was still waiting
// when the lab ended its program was interrupted by that.
void Ledger::note_room(const evidence::Call& call, Deed& write) {
  if (write.kind != Kind::write || write.pending) return;
  const bool full = write.error == EAGAIN || (!write.error && call.result < given(call));
  if (!full)
    full_.erase({write.pid, write.fd});
  else
    full_.insert({write.pid, write.fd});
  if (full && facts_.stopping && write.start < facts_.stopping.t && write.end - write.start >= kBlocked) {
    write.pending = true;
    write.timed_out = false;
    write.error = 0;
    write.bytes = -1;
  }
}

// Programs wait for bytes in poll and read when there are some: a poll that found none is a read that timed out, until
// a later look finds something; one that does not wait and finds nothing changes nothing (event loops make such looks
// before they go on). So it is with room to write in. What epoll waits for is told by epoll_ctl; where that was not
// seen, bytes of every connection that the process opened, and room where the last write found none.
void Ledger::looked(const Deed& poll, const evidence::Call& call) {
  auto bytes = awaited(call);
  const auto room = awaited(call, "POLLOUT");
  const bool epoll = poll.call.starts_with("epoll");
  const auto interest = interest_.find({poll.pid, std::atoi(call.args.c_str())});
  const bool registered = epoll && interest != interest_.end();
  if (registered) bytes.assign(interest->second.begin(), interest->second.end());
  auto wait = poll;
  wait.timed_out = !poll.error && poll.bytes == 0 && poll.end - poll.start >= kBlocked;
  wait.bytes = -1;
  const bool in_vain = poll.error || (!wait.timed_out && !wait.pending && poll.bytes == 0);
  const bool sets = poll.call.find("select") != poll.call.npos;
  const bool untold = (epoll && !registered) || (sets && bytes.empty());
  wait.untold = untold;
  const auto among = [&](const std::vector<int>& all) {
    return std::find(all.begin(), all.end(), wait.fd) != all.end();
  };
  for (auto at = by_fd_.lower_bound({poll.pid, 0}); at != by_fd_.end() && at->first.first == poll.pid; ++at) {
    const auto [index, who] = at->second;
    wait.fd = at->first.second;
    auto& conn = facts_.conns[index];
    const bool reads = among(bytes) || (untold && who == Who::client);
    const bool told = among(room) || ((epoll || sets) && full_.contains({poll.pid, wait.fd}));
    const bool writes = told && conn.handshake && conn.acts[who].written > 0;
    const bool elsewhere = reads && poll.bytes > 0 && poll.end - poll.start >= kBlocked;
    if ((reads || untold) && (wait.timed_out || poll.error == EINTR || elsewhere))
      note_idle(conn, who, wait, elsewhere);
    if (!reads && !writes) continue;
    auto& inside = conn.acts[who].pending;
    if (inside && inside->tid == poll.tid && kind_of_call(inside->call) == Kind::poll) inside.reset();
    if (in_vain) continue;
    if (reads) withdraw(conn, who, Kind::read);
    if (writes) withdraw(conn, who, Kind::write);
    if (!wait.timed_out && !wait.pending) continue;
    wait.kind = Kind::read;
    wait.passing = epoll && !writes && (wait.timed_out || call.args.find("-1ms") == call.args.npos);
    if (reads && (conn.handshake || who == Who::server)) on_read(conn, who, wait);  // else connect has the word
    wait.kind = Kind::write;
    wait.passing = false;
    if (writes) on_write(conn, who, wait);
  }
}

// Its own alarm ended that call: whoever sets one limits a wait. Any other signal may have any reason.
static bool rang(const Process& process, const Deed& call) {
  return std::any_of(process.signals.begin(), process.signals.end(), [&](const SignalFacts& signal) {
    return signal.sent.signal == SIGALRM && signal.at.t >= call.start && signal.at.t <= call.end;
  });
}

// `elsewhere`: another descriptor had something. Whether this one had, too, its reads tell.
void Ledger::note_idle(Conn& conn, Who who, Deed look, bool elsewhere) {
  auto& idle = conn.acts[who].idle;
  look.passing |=
      look.error == EAGAIN || look.call.starts_with("epoll") || (look.error == EINTR && !rang(process(look.pid), look));
  look.untold |= elsewhere;
  if (idle && idle->pid == look.pid) {
    look.start = std::min(look.start, idle->start);
    look.passing |= idle->passing;
    look.untold |= idle->untold;
  }
  look.kind = Kind::read;
  look.timed_out = true;
  look.error = 0;
  look.bytes = -1;
  idle = std::move(look);
  conn.at_idle[who] = progress_of(conn);
}

// A timer of its own, a signal, a look that found nothing: whoever closes at once behind it gave up waiting, which is a
// complaint if something was kept from it, or is owed to it.
void Ledger::give_up(Conn& conn, Who who, const Deed& deed) {
  const auto& acts = conn.acts[who];
  const auto& idle = acts.idle;
  if (!idle || !conn.handshake || idle->pid != deed.pid) return;
  if (deed.start - idle->end > kThinks || idle->end - idle->start < kBlocked) return;
  const bool for_long = waited_long(acts, *idle, idle->end);
  complain(conn, Complaint::What::starved, who, *idle, !idle->untold && for_long && is_owed(acts, who, *idle),
           conn.at_idle[who]);
}

// Whoever looks for room does not block in his writes: one that took long and wrote a part had not waited.
void Ledger::withdraw(Conn& conn, Who who, Kind kind) {
  std::erase_if(conn.complaints, [&](const Complaint& one) {
    if (one.victim != who || !one.deed || one.deed->kind != kind || one.deed->step) return false;
    const bool part = kind == Kind::write && one.deed->timed_out && one.deed->bytes >= 0;
    return part || kind_of_call(one.deed->call) == Kind::poll;
  });
}

// How a connect that did not wait came out: "3, SOL_SOCKET, SO_ERROR, EHOSTUNREACH".
void Ledger::answered(const evidence::Call& getsockopt, Mark mark) {
  constexpr std::string_view option = "SO_ERROR, E";
  const auto at = getsockopt.args.find(option);
  const auto held = by_fd_.find({getsockopt.pid, getsockopt.fd});
  if (at == std::string::npos || held == by_fd_.end() || held->second.second != Who::client) return;
  auto& conn = facts_.conns[held->second.first];
  const auto& connect = conn.acts.client.connect;
  if (!connect || connect->error != EINPROGRESS || conn.handshake) return;
  const auto name = getsockopt.args.substr(at + option.size() - 1);
  auto deed = *connect;
  for (int error = 1; error < 134 && deed.error == EINPROGRESS; ++error)
    if (error_name(error) == name) deed.error = error;
  if (deed.error == EINPROGRESS) return;
  deed.end = mark.t;
  deed.mark = mark;
  if (!harmless(deed)) note_failed_connect(process(deed.pid), deed, &conn);
  on_connect(conn, deed);
}

}  // namespace lab::verdict
