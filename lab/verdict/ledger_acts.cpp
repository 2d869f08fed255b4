// What programs did: steps and system calls.
#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "verdict/ledger.hpp"

namespace lab::verdict {
namespace {

constexpr std::size_t kComplaints = 16, kClosers = 8;

// The client is owed an answer when it has said something since it last heard something, or never heard anything.
// A server is owed nothing: a client may come, stay silent and go.
bool is_owed(const Conn& conn, Who who, const Deed& deed) {
  if (deed.exact) return true;
  if (who == Who::server) return false;
  const auto& acts = conn.acts[who];
  if (!acts.last_read) return true;
  return acts.last_write && acts.last_write.t > acts.last_read.t;
}

// ICMPv6 "administratively prohibited" as the socket tells it (tab_unreach, net/ipv6/icmp.c). A filter fails calls with
// that number too: only beside an ICMP error is it the path's word.
bool forbidden(const Conn& conn, const Deed& deed) { return deed.error == EACCES && !conn.icmp.empty(); }

// Behind its own shutdown a write meets EPIPE whatever the other end does.
bool behind_own_shutdown(const Acts& acts, const Deed& write) {
  return write.error == EPIPE && std::any_of(acts.closers.begin(), acts.closers.end(), [](const Deed& deed) {
           return deed.kind == Kind::shut && !reads_only(deed);
         });
}

bool waits(const Deed& deed) {
  return deed.kind == Kind::read || deed.kind == Kind::write || deed.kind == Kind::poll || deed.kind == Kind::accept ||
         deed.kind == Kind::connect;
}

}  // namespace

// The lab ends one program after the other, and who still runs sees the other go: what a call that had waited until
// then came back with, but for bytes, is the lab's doing, and so is all that is called later.
bool Ledger::swept_away(Deed& deed) const {
  if (!facts_.stopping || deed.end <= facts_.stopping.t) return false;
  if (deed.start > facts_.stopping.t) return true;
  if (waits(deed) && (deed.kind == Kind::poll || deed.error || deed.bytes <= 0)) {
    deed.pending = true;
    deed.eof = deed.timed_out = false;
    deed.error = 0;
    deed.bytes = -1;
  }
  return false;
}

void Ledger::take(const evidence::StepDone& step, Mark mark) {
  if (step.role == "operator") return;  // whoever arranges the experiment is no witness
  auto deed = deed_of(step, mark);
  if (!deed) return;
  process(step.pid).steps = true;
  if (swept_away(*deed)) return;
  if (deed->kind == Kind::exit && deed->pending) process(step.pid).ending = {.t = deed->start, .event = mark.event};
  act(std::move(*deed), step.local, step.peer);
}

void Ledger::take(const evidence::Call& call, Mark mark) {
  auto deed = deed_of(call, mark);
  limits_waiting_ |= call.name == "setsockopt" && (call.args.find("SO_RCVTIMEO") != std::string::npos ||
                                                   call.args.find("SO_SNDTIMEO") != std::string::npos);
  // A call that need not wait takes its time, too, on a busy machine or under a tracer.
  if (deed.error == EAGAIN && facts_.complete("syscalls") && !limits_waiting_) deed.timed_out = false;
  auto& proc = process(call.pid);
  proc.calls = true;
  if (swept_away(deed)) return;
  if (deed.kind == Kind::spawn && deed.bytes > 0) {
    const int child = static_cast<int>(deed.bytes);
    proc.children.insert(child);
    process(child).parent = call.pid;
  }
  if (call.name == "socket" && !call.error) {
    const std::pair key{call.pid, static_cast<int>(call.result)};
    if (call.args.find("SOCK_STREAM") == std::string::npos)
      datagrams_.insert(key);
    else
      datagrams_.erase(key);
    if (call.args.starts_with("AF_UNIX"))
      local_.insert(key);
    else
      local_.erase(key);
  }
  if (call.name == "wait4" && deed.bytes > 0) process(static_cast<int>(deed.bytes)).reaped = mark;
  if (call.name == "exit_group" && !proc.ending) proc.ending = {.t = deed.start, .event = mark.event};
  // A child that its parent ignores (SIGCHLD) is never reaped: its own word is all there is.
  if (call.name == "exit_group" && !proc.exited) {
    proc.exited = mark;
    proc.exited.t = deed.start;
    proc.status = std::atoi(call.args.c_str()) & 0xFF;
    proc.exit_begun = true;
  }
  note_room(call, deed);
  const auto poll = deed.kind == Kind::poll ? std::optional(deed) : std::nullopt;
  // A socket that failed at once has no peer any more: the call says whom it was for.
  auto peer = call.peer;
  if (const auto comma = call.args.find(", ");
      deed.kind == Kind::connect && !peer.known() && call.local.port && comma != std::string::npos)
    peer = evidence::parse_address(call.args.substr(comma + 2)).value_or(Address{});
  if (const auto range = closed_range(call)) sweep(deed, *range);
  act(std::move(deed), call.local, peer);
  if (poll) looked(*poll, call);
  if (call.name == "getsockopt") answered(call, mark);
  if (call.target == "SIGKILL") killed(call, mark);
}

Ledger::Found Ledger::place_connect(const Deed& deed, const Address& local, const Address& peer) {
  if (auto found = find(local, peer); found.conn) return found;
  // A second connect asks what became of the first.
  if (const auto held = by_fd_.find({deed.pid, deed.fd}); deed.fd >= 0 && held != by_fd_.end()) {
    auto& conn = facts_.conns[held->second.first];
    const auto& first = conn.acts.client.connect;
    if (first && first->error == EINPROGRESS && (conn.server == peer || conn.asked == peer))
      return {&conn, Who::client};
  }
  // The local port is gone after a failure, or not told: a SYN to that address while the call ran, or just after it
  // began for one that does not wait.
  for (std::size_t i = facts_.conns.size(); i-- > 0;) {
    auto& conn = facts_.conns[i];
    if (conn.acts.client.connect || (conn.server != peer && conn.asked != peer)) continue;
    if (local.port && conn.client.port != local.port) continue;
    if (conn.began.t >= deed.start - 1'000'000 && (deed.pending || conn.began.t <= deed.end + 20'000'000))
      return {&conn, Who::client};
  }
  auto found = make(local, peer, deed.mark);
  found.conn->known_order = true;
  found.conn->began.t = deed.start;
  return found;
}

Ledger::Found Ledger::place(const Deed& deed, const Address& local, const Address& peer) {
  if (deed.kind == Kind::connect) {
    if (!peer.known() || peer.port == 0) return {};
    return place_connect(deed, local, peer);
  }
  if (local.known() && peer.known() && local.port && peer.port) {
    if (auto found = find(local, peer); found.conn) return found;
    const bool serves = deed.kind == Kind::accept || listens(local) || (!listens(peer) && local.port < peer.port);
    auto found = serves ? make(peer, local, deed.mark) : make(local, peer, deed.mark);
    found.from = serves ? Who::server : Who::client;
    found.conn->known_order = deed.kind == Kind::accept;
    return found;
  }
  if (deed.kind == Kind::accept) return {};
  for (int pid = deed.pid, hops = 0; pid && deed.fd >= 0 && hops < 4; ++hops) {
    if (const auto at = by_fd_.find({pid, deed.fd}); at != by_fd_.end())
      return {&facts_.conns[at->second.first], at->second.second};
    const auto* proc = facts_.process(pid);
    pid = proc ? proc->parent : 0;
  }
  return {};
}

// A child's descriptors are its parent's, unless it has its own under the same number. One that never touched the
// connection only makes ready for another program.
void Ledger::sweep(const Deed& deed, Range range) {
  process(deed.pid).swept = deed;
  std::map<int, std::pair<std::size_t, Who>> known;
  for (int pid = deed.pid, hops = 0; pid && hops < 4; ++hops) {
    for (auto at = by_fd_.lower_bound({pid, range.first}); at != by_fd_.end() && at->first.first == pid; ++at)
      if (at->first.second <= range.last) known.emplace(at->first.second, at->second);
    const auto* proc = facts_.process(pid);
    pid = proc ? proc->parent : 0;
  }
  for (const auto& [fd, end] : known) {
    auto& conn = facts_.conns[end.first];
    if (!by_fd_.contains({deed.pid, fd}) && !conn.acts[end.second].users.contains(deed.pid)) continue;
    auto one = deed;
    one.fd = fd;
    on_connection(conn, end.second, one);
  }
}

// A further descriptor for the same end.
void Ledger::note_double(Conn& conn, Who who, const Deed& deed) {
  if (deed.call != "dup" && deed.call != "dup2" && deed.call != "dup3" && deed.call != "fcntl") return;
  if (deed.error || deed.pending || deed.bytes < 0 || deed.bytes == deed.fd) return;
  conn.acts[who].doubled.insert(deed.pid);
  by_fd_[{deed.pid, static_cast<int>(deed.bytes)}] = {index_of(conn), who};
}

void Ledger::act(Deed deed, const Address& local, const Address& peer) {
  auto& proc = process(deed.pid);
  if (deed.kind == Kind::connect) facts_.any_connect = true;
  const auto found = place(deed, local, peer);
  if (deed.pending)
    proc.inside[deed.tid] = deed;
  else
    proc.inside.erase(deed.tid);
  if (found.conn) note_sequel(proc, deed, *found.conn);
  note_trouble(proc, deed, local, peer, found);
  if (deed.kind == Kind::close && local.port && !peer.port && !found.conn) deed.kind = Kind::listener_close;
  if (deed.kind == Kind::listener_close && !deed.error && !deed.pending) proc.closed_listener = deed;
  if (deed.kind == Kind::connect && !datagrams_.contains({deed.pid, deed.fd})) {
    proc.connects = true;
    if (deed.error && !harmless(deed)) note_failed_connect(proc, deed, found.conn);
  }
  if (deed.kind == Kind::exec && !deed.error) proc.became = deed;
  if (local.port && (deed.kind == Kind::accept || deed.kind == Kind::listener_close || deed.call == "listen"))
    proc.serves.insert(local);
  if (deed.kind == Kind::accept && !deed.error && !deed.pending) proc.accepts = true;
  if (found.conn) on_connection(*found.conn, found.from, deed);
  proc.last = std::move(deed);
}

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
      if (!deed.error && !deed.pending && acts.closers.size() < kClosers) acts.closers.push_back(deed);
      break;
    default:
      break;
  }
  acts.last = deed;
}

void Ledger::on_connect(Conn& conn, const Deed& deed) {
  auto& acts = conn.acts.client;
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
  const bool owed = is_owed(conn, who, deed);
  if (kind_of_call(deed.call) == Kind::read) withdraw(conn, who, Kind::read);
  if (deed.pending) {
    acts.pending = deed;
    return;
  }
  if (acts.pending && acts.pending->tid == deed.tid) acts.pending.reset();
  for (auto& one : conn.complaints)
    if (one.victim != who && deed.start <= one.at.t && one.at.t <= deed.end) one.facing = deed;
  if (deed.bytes > 0) {
    acts.read += static_cast<std::uint64_t>(deed.bytes);
    acts.users.insert(deed.pid);
    acts.last_read = deed.mark;
    forgive(conn, who, Kind::read);
  }
  if (deed.eof) {
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

void Ledger::complain(Conn& conn, Complaint::What what, Who victim, const Deed& deed, bool owed) {
  if (conn.complaints.size() >= kComplaints) return;
  Complaint one{.what = what, .victim = victim, .at = deed.mark, .deed = deed, .owed = owed};
  one.at.t = deed.end;
  one.then = progress_of(conn);
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
