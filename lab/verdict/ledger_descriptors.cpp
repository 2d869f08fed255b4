// What is known of descriptors: which connection's end each is, of what kind, and who waits for it.
#include <cstdlib>

#include "verdict/ledger.hpp"

namespace lab::verdict {

// A number that is given anew is another socket's.
void Ledger::note_socket(const evidence::Call& call) {
  if (call.name != "socket" || call.error) return;
  const std::pair key{call.pid, static_cast<int>(call.result)};
  resetting_.erase(key);
  if (call.args.find("SOCK_STREAM") == std::string::npos)
    datagrams_.insert(key);
  else
    datagrams_.erase(key);
  if (call.args.starts_with("AF_UNIX"))
    local_.insert(key);
  else
    local_.erase(key);
}

// "6, EPOLL_CTL_ADD, 4, POLLIN|POLLOUT". A descriptor that is closed is no longer waited for.
void Ledger::note_interest(const evidence::Call& call) {
  if (call.error || !call.returned) return;
  if (call.name == "close")
    for (auto at = interest_.lower_bound({call.pid, 0}); at != interest_.end() && at->first.first == call.pid; ++at)
      at->second.erase(call.fd);
  if (call.name != "epoll_ctl") return;
  auto& fds = interest_[{call.pid, std::atoi(call.args.c_str())}];
  const bool reads =
      call.args.find("POLLIN") != std::string::npos && call.args.find("EPOLL_CTL_DEL") == std::string::npos;
  if (reads)
    fds.insert(call.fd);
  else
    fds.erase(call.fd);
}

// What accept makes has its listener's options: "3, SOCK_NONBLOCK" of the listener's descriptor.
void Ledger::inherit_linger(const evidence::Call& call, Deed& deed) {
  if (call.error || !call.returned) return;
  if (call.name == "setsockopt" && !call.peer.port && deed.linger_reset) resetting_.insert({call.pid, call.fd});
  if (call.name == "setsockopt" && !call.peer.port && deed.lingers) resetting_.erase({call.pid, call.fd});
  if (deed.kind == Kind::accept && resetting_.contains({call.pid, std::atoi(call.args.c_str())}))
    deed.linger_reset = true;
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

}  // namespace lab::verdict
