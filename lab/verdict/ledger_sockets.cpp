#include <algorithm>

#include "verdict/ledger.hpp"
#include "verdict/unread.hpp"

namespace lab::verdict {

void Ledger::listening(const evidence::SocketState& socket, Mark mark) {
  auto& all = facts_.listeners;
  auto at = std::find_if(all.begin(), all.end(), [&](const Listener& l) {
    return l.netns == socket.netns && l.local == socket.local && !l.closed &&
           (l.pids.empty() || socket.pids.empty() ||
            std::any_of(socket.pids.begin(), socket.pids.end(), [&](int pid) { return l.pids.count(pid) > 0; }));
  });
  if (at == all.end()) {
    all.push_back({.netns = socket.netns, .local = socket.local, .seen = mark});
    at = all.end() - 1;
  }
  at->last_seen = mark;
  if (socket.when == "destroyed") {
    at->closed = mark;
    return;
  }
  at->waiting = socket.receive_queue;
  at->most_waiting = std::max(at->most_waiting, socket.receive_queue);
  at->limit = socket.send_queue;
  at->options = socket.options;
  at->pids.insert(socket.pids.begin(), socket.pids.end());
}

void Ledger::take(const evidence::SocketState& socket, Mark mark) {
  if (facts_.stopping && socket.when == "destroyed") return;  // swept away by the end of the run
  // One that is destroyed listens no more; a client's, which has lost its peer, never did.
  if (socket.state == "LISTEN" || (socket.when == "destroyed" && listens(socket.local) && !socket.peer.port)) {
    if (socket.local.known() && socket.local.port) listening(socket, mark);
    return;
  }
  if (!socket.peer.known() || socket.peer.port == 0) return;
  auto found = find(socket.local, socket.peer);
  if (!found.conn) {
    // A socket that is just being put away shows CLOSE and no local port (tcp_time_wait, net/ipv4/tcp_minisocks.c).
    if (socket.when == "destroyed" || socket.state == "TIME_WAIT" || socket.state == "CLOSE" || !socket.local.port)
      return;
    const bool serves = socket.state == "SYN_RECV" || (socket.state != "SYN_SENT" && listens(socket.local));
    found = serves ? make(socket.peer, socket.local, mark) : make(socket.local, socket.peer, mark);
    found.from = serves ? Who::server : Who::client;
    found.conn->known_order = serves || socket.state == "SYN_SENT" || listens(socket.peer);
  }
  auto& conn = *found.conn;
  const Who who = found.from;
  conn.holders[who].insert(socket.pids.begin(), socket.pids.end());
  if (who == Who::server && socket.state == "SYN_RECV") conn.in_syn_recv = mark;
  if (who == Who::server && socket.state != "SYN_RECV" && socket.state != "CLOSE" && !conn.opening.at)
    conn.opening = {.at = mark, .closing = socket.state == "CLOSE_WAIT" || socket.state == "LAST_ACK"};
  if (who == Who::client && socket.state == "ESTABLISHED" && !conn.handshake) {
    conn.handshake = true;
    conn.handshake_at = mark;
  }
  if (socket.when == "destroyed") {
    conn.gone[who] = SocketFacts{socket, mark};
    return;
  }
  if (socket.state == "ESTABLISHED" || socket.state == "CLOSE_WAIT") {
    conn.alive[who] = SocketFacts{socket, mark};
    auto& sent = conn.stream[other(who)];
    if (!unread_in(socket.state, socket.receive_queue)) {
      sent.taken |= sent.delivered > 0;
      sent.fresh = {};
    }
  }
  if (conn.socket[who]) conn.before[who] = std::move(conn.socket[who]);
  conn.socket[who] = SocketFacts{socket, mark};
}

}  // namespace lab::verdict
