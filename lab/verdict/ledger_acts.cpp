// What programs did: steps and system calls.
#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "verdict/ledger.hpp"

namespace lab::verdict {
namespace {

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
  if (deed.timed_out) deed.error = 0;  // the program's own limit, not the path's word
  auto& proc = process(call.pid);
  proc.calls = true;
  if (swept_away(deed)) return;
  if (deed.kind == Kind::spawn && deed.bytes > 0) {
    const int child = static_cast<int>(deed.bytes);
    proc.children.insert(child);
    process(child).parent = call.pid;
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
  note_socket(call);
  inherit_linger(call, deed);
  note_interest(call);
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
    // A look is told by when it was asked, and may have met a SYN that came later.
    const auto began = conn.stream.client.syn ? conn.stream.client.syn.t : conn.began.t;
    if (began >= deed.start - 1'000'000 && (deed.pending || began <= deed.end + 20'000'000))
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

void Ledger::act(Deed deed, const Address& local, const Address& peer) {
  // A stop reaches a process on another CPU a moment after it was told; who acts later has been let go on.
  constexpr std::int64_t kMoment = 20'000'000;
  auto& proc = process(deed.pid);
  if (proc.stopped && !proc.resumed && !deed.pending && deed.end > proc.stopped.t + kMoment)
    proc.resumed = {.t = deed.end, .event = deed.mark.event};
  if (deed.kind == Kind::connect) facts_.any_connect = true;
  const auto found = place(deed, local, peer);
  if (deed.pending)
    proc.inside[deed.tid] = deed;
  else
    proc.inside.erase(deed.tid);
  if (deed.step) note_next(proc, deed);
  if (found.conn) note_sequel(proc, deed, *found.conn);
  note_trouble(proc, deed, local, peer, found);
  if (deed.kind == Kind::close && local.port && !peer.port && !found.conn) deed.kind = Kind::listener_close;
  if (deed.kind == Kind::listener_close && !deed.error && !deed.pending) proc.closed_listeners[local] = deed;
  if (deed.kind == Kind::connect && !datagrams_.contains({deed.pid, deed.fd})) {
    proc.connects = true;
    if (deed.error && !harmless(deed)) note_failed_connect(proc, deed, found.conn);
  }
  if (deed.kind == Kind::exec && !deed.error) proc.became = deed;
  if (local.port && (deed.kind == Kind::accept || deed.kind == Kind::listener_close || deed.call == "listen"))
    proc.serves.insert(local);
  if (deed.kind == Kind::accept && !deed.error && !deed.pending) proc.accepts = true;
  if (found.conn) on_connection(*found.conn, found.from, deed);
  if (deed.kind == Kind::exit && deed.call != "exit")
    for (auto at = by_fd_.lower_bound({deed.pid, 0}); at != by_fd_.end() && at->first.first == deed.pid; ++at)
      give_up(facts_.conns[at->second.first], at->second.second, deed);
  proc.last = std::move(deed);
}

}  // namespace lab::verdict
