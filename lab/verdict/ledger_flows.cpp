// Connection tracking's flows: one connection under two names, as the client sees it and as the server does.
#include <algorithm>
#include <utility>

#include "verdict/ledger.hpp"

namespace lab::verdict {

void Ledger::take(const evidence::Flow& flow, Mark mark) {
  const bool translated = flow.original_target != flow.reply_source || flow.original_source != flow.reply_target;
  auto found = find(flow.original_source, flow.original_target);
  const auto other_name = find(flow.reply_target, flow.reply_source);
  if (translated && found.conn && other_name.conn && found.conn != other_name.conn && !found.conn->wire) {
    join(index_of(*found.conn), index_of(*other_name.conn));
    found = find(flow.original_source, flow.original_target);
  }
  if (!found.conn) found = other_name;
  if (!found.conn) return;
  auto& conn = *found.conn;
  if (translated) {
    conn.translated = true;
    // Known so far by the name that the client's socket gives it: the server's own is this.
    if (!conn.wire && conn.server == flow.original_target) conn.server = flow.reply_source;
    if (flow.original_target != flow.reply_source && conn.server == flow.reply_source)
      conn.asked = flow.original_target;
    // The last is what it goes by between the hooks: the target is translated at prerouting, the source at postrouting.
    const auto index = index_of(conn);
    for (const auto& [source, target] : {std::pair{flow.original_source, flow.original_target},
                                         {flow.reply_target, flow.reply_source},
                                         {flow.original_source, flow.reply_source}})
      if (!find(source, target).conn) alias(source, target, index, Who::client);
  }
  if (flow.kind == "destroy" && !conn.flow_gone) conn.flow_gone = mark;
}

// The answer to a SYN may come under the address that translation hides: it acknowledges the SYN's number.
Ledger::Found Ledger::adopt_answer(const evidence::Segment& segment) {
  const auto at = by_isn_.find(segment.ack - 1);
  if (at == by_isn_.end()) return {};
  auto& conn = facts_.conns[at->second];
  if (conn.client.port != segment.target.port && conn.client.ip != segment.target.ip) return {};
  conn.translated = true;
  // On lo the SYN is seen behind the output hook's translation, its answer under the address that was asked for.
  if (segment.netns.empty() && segment.target == conn.client && !conn.asked.known()) conn.asked = segment.source;
  alias(segment.source, segment.target, at->second, Who::server);
  return {&conn, Who::server};
}

// A name that a socket was seen under before any flow told of it is no connection of its own.
Ledger::Found Ledger::adopt_shell(const Conn& shell, const evidence::Segment& segment) {
  const auto index = index_of(shell);
  const auto adopted = adopt_answer(segment);
  if (!adopted.conn || index_of(*adopted.conn) == index) return adopted;
  join(index, index_of(*adopted.conn));
  return find(segment.source, segment.target);
}

namespace {

void earlier(Mark& mine, const Mark& other) {
  if (other && (!mine || other.t < mine.t)) mine = other;
}

void take_over(Conn& conn, Conn& shell, Who who) {
  if (!conn.acts[who].any && shell.acts[who].any) conn.acts[who] = std::move(shell.acts[who]);
  for (const auto look : {&Conn::socket, &Conn::gone, &Conn::before, &Conn::alive})
    if (auto& mine = (conn.*look)[who]; !mine) mine = std::move((shell.*look)[who]);
  conn.holders[who].merge(shell.holders[who]);
  if (conn.built[who].empty()) conn.built[who] = std::move(shell.built[who]);
  auto &mine = conn.kernel_closed[who], &theirs = shell.kernel_closed[who];
  if (theirs.at && (!mine.at || theirs.at.t < mine.at.t)) mine = std::move(theirs);
  earlier(conn.retransmit[who], shell.retransmit[who]);
}

}  // namespace

// They met as two: the client's socket was seen, or its steps were told, before the flow that joins them. `shell` has
// the name that never was on the wire.
void Ledger::join(std::size_t shell, std::size_t whole) {
  auto& from = facts_.conns[shell];
  auto& conn = facts_.conns[whole];
  for (const Who who : {Who::client, Who::server}) take_over(conn, from, who);
  if (from.in_syn_recv.t > conn.in_syn_recv.t) conn.in_syn_recv = from.in_syn_recv;
  const bool surer = from.opening.exact && !conn.opening.exact;
  const bool earlier_one = from.opening.exact == conn.opening.exact && from.opening.at.t < conn.opening.at.t;
  if (from.opening.at && (!conn.opening.at || surer || earlier_one)) conn.opening = from.opening;
  conn.complaints.insert(conn.complaints.begin(), from.complaints.begin(), from.complaints.end());
  conn.handshake |= from.handshake;
  earlier(conn.handshake_at, from.handshake_at);
  earlier(conn.began, from.began);
  const auto renumber = [&](std::size_t& index) {
    if (index == Mark::nowhere) return;
    if (index == shell) index = whole;
    if (index > shell) --index;
  };
  for (auto& [tuple, at] : by_tuple_) renumber(at.first);
  for (auto& [descriptor, at] : by_fd_) renumber(at.first);
  for (auto& [socket, at] : by_socket_) renumber(at.first);
  for (auto& [number, at] : by_isn_) renumber(at);
  for (auto& [pid, process] : facts_.processes)
    for (auto& trouble : process.troubles) renumber(trouble.conn);
  facts_.conns.erase(facts_.conns.begin() + static_cast<std::ptrdiff_t>(shell));
}

}  // namespace lab::verdict
