// What programs did on an end of a connection: what it says of that end, and of whoever complained.
#include <algorithm>
#include <cerrno>

#include "verdict/ledger.hpp"

namespace lab::verdict {
namespace {

constexpr std::size_t kComplaints = 16, kClosers = 8;

// ICMPv6 "administratively prohibited" as the socket tells it (tab_unreach, net/ipv6/icmp.c). A filter fails calls with
// that number too: only beside an ICMP error is it the path's word.
bool forbidden(const Conn& conn, const Deed& deed) { return deed.error == EACCES && !conn.icmp.empty(); }

// Behind its own shutdown a write meets EPIPE whatever the other end does.
bool behind_own_shutdown(const Acts& acts, const Deed& write) {
  return write.error == EPIPE && std::any_of(acts.closers.begin(), acts.closers.end(), [](const Deed& deed) {
           return deed.kind == Kind::shut && !reads_only(deed);
         });
}

}  // namespace

void Ledger::on_connection(Conn& conn, Who who, const Deed& deed) {
  auto& acts = conn.acts[who];
  acts.any = true;
  if (!acts.first) acts.first = deed.mark;
  acts.pids.insert(deed.pid);
  acts.threads.insert(deed.tid);
  if (deed.linger_reset && !acts.asked_reset) acts.asked_reset = deed.mark;
  if (deed.lingers) acts.asked_reset = {};
  note_double(conn, who, deed);
  const auto index = index_of(conn);
  const bool begun = !deed.error || deed.error == EINPROGRESS;
  if (deed.fd >= 0 && begun && (deed.kind == Kind::accept || deed.kind == Kind::connect))
    by_fd_[{deed.pid, deed.fd}] = {index, who};
  switch (deed.kind) {
    case Kind::connect:
      on_connect(conn, deed);
      break;
    case Kind::accept:
      if (!deed.error && !deed.pending && !acts.accepted) acts.accepted = deed.mark;
      conn.known_order = true;
      break;
    case Kind::read:
      on_read(conn, who, deed);
      break;
    case Kind::write:
      on_write(conn, who, deed);
      break;
    case Kind::close:
    case Kind::reset:
      if (!deed.error) by_fd_.erase({deed.pid, deed.fd});
      [[fallthrough]];
    case Kind::shut:
    case Kind::exec:
      if (!deed.error && !deed.pending && lets_go(conn, who, deed)) give_up(conn, who, deed);
      if (!deed.error && !deed.pending && acts.closers.size() < kClosers) acts.closers.push_back(deed);
      break;
    default:
      break;
  }
  acts.last = deed;
}

// Of both directions, and its process has no other descriptor for that end.
bool Ledger::lets_go(const Conn& conn, Who who, const Deed& deed) const {
  if (writes_only(deed) || reads_only(deed)) return false;
  const std::pair end{index_of(conn), who};
  for (auto at = by_fd_.lower_bound({deed.pid, 0}); at != by_fd_.end() && at->first.first == deed.pid; ++at)
    if (at->second == end && at->first.second != deed.fd) return false;
  return true;
}

void Ledger::on_connect(Conn& conn, const Deed& deed) {
  auto& acts = conn.acts.client;
  if (deed.error == EALREADY && acts.connect && harmless(*acts.connect)) return;  // it only asked
  acts.connect = deed;
  conn.known_order = true;
  if (deed.pending) return;
  if (!deed.error && !deed.timed_out) {
    if (!acts.connected) acts.connected = deed.mark;
    if (!conn.handshake) {
      conn.handshake = true;
      conn.handshake_at = deed.mark;
    }
    forgive(conn, Who::client, Kind::connect);
    return;
  }
  if (deed.error == EINPROGRESS || deed.error == EINTR || deed.error == EALREADY || deed.error == EISCONN) return;
  complain(conn, Complaint::What::no_connect, Who::client, deed, true);
}

void Ledger::on_read(Conn& conn, Who who, const Deed& deed) {
  auto& acts = conn.acts[who];
  const bool owed = is_owed(acts, who, deed);
  if (kind_of_call(deed.call) == Kind::read) withdraw(conn, who, Kind::read);
  if (deed.pending) {
    acts.pending = deed;
    return;
  }
  if (acts.pending && acts.pending->tid == deed.tid) acts.pending.reset();
  for (auto& one : conn.complaints)
    if (one.victim != who && deed.start <= one.at.t && one.at.t <= deed.end) one.facing = deed;
  if (deed.bytes > 0) {
    if (!deed.peeks) acts.read += static_cast<std::uint64_t>(deed.bytes);
    acts.users.insert(deed.pid);
    acts.last_read = deed.mark;
    forgive(conn, who, Kind::read);
  }
  if (deed.bytes > 0 || deed.eof) acts.idle.reset();
  if (!deed.step && (deed.error == EAGAIN || deed.error == EINTR)) note_idle(conn, who, deed);
  if (deed.eof) {
    if (!acts.met_end) acts.met_end = deed.mark;
    const bool satisfied = deed.bytes > 0 || (deed.to_eof && !owed);
    if (!satisfied || deed.exact) complain(conn, Complaint::What::eof, who, deed, deed.exact || owed);
  } else if (deed.timed_out || path_error(deed.error) || forbidden(conn, deed)) {
    complain(conn, Complaint::What::starved, who, deed, owed || deed.error);
  } else if (connection_gone(deed.error)) {
    complain(conn, Complaint::What::reset, who, deed, true);
  } else if (deed.error && !harmless(deed) && !misuse(deed.error)) {
    complain(conn, Complaint::What::failed, who, deed, true);
  }
}

void Ledger::on_write(Conn& conn, Who who, const Deed& deed) {
  auto& acts = conn.acts[who];
  // It is told of when it returns: who had complained meanwhile did so while it ran.
  for (auto& one : conn.complaints)
    if (deed.start <= one.at.t && (deed.pending || deed.end > one.at.t)) one.then[who].writing = true;
  if (deed.pending) {
    acts.pending = deed;
    return;
  }
  if (acts.pending && acts.pending->tid == deed.tid) acts.pending.reset();
  if (deed.bytes > 0) {
    acts.written += static_cast<std::uint64_t>(deed.bytes);
    acts.users.insert(deed.pid);
    acts.last_write = deed.mark;
    forgive(conn, who, Kind::write);
  }
  if (deed.timed_out || path_error(deed.error) || forbidden(conn, deed))
    complain(conn, Complaint::What::starved, who, deed, true);
  else if (behind_own_shutdown(acts, deed))
    return;
  else if (connection_gone(deed.error))
    complain(conn, Complaint::What::reset, who, deed, true);
  else if (deed.error && !harmless(deed) && !misuse(deed.error))
    complain(conn, Complaint::What::failed, who, deed, true);
}

void Ledger::complain(Conn& conn, Complaint::What what, Who victim, const Deed& deed, bool owed,
                      const std::optional<Both<Progress>>& then) {
  if (conn.complaints.size() >= kComplaints) return;
  Complaint one{.what = what, .victim = victim, .at = deed.mark, .deed = deed, .owed = owed};
  one.at.t = deed.end;
  one.then = then ? *then : progress_of(conn);
  conn.complaints.push_back(std::move(one));
}

// What had failed or waited in vain worked after all.
void Ledger::forgive(Conn& conn, Who who, Kind kind) {
  for (auto& one : conn.complaints) {
    const bool mends = one.what == Complaint::What::starved || one.what == Complaint::What::failed ||
                       (one.what == Complaint::What::no_connect && kind == Kind::connect);
    if (one.victim == who && mends && one.deed && one.deed->kind == kind) one.made_good = true;
  }
}

}  // namespace lab::verdict
