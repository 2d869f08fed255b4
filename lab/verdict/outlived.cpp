// Closing segments that closed nothing: a forged one, or a reject's, that was eaten on its way.
#include "verdict/ledger.hpp"

namespace lab::verdict {
namespace {

bool untouched_after(const Conn& conn, Who who, const Mark& mark) {
  const auto* seen = conn.seen_after(who, mark.t);
  return seen && seen->state.state == "ESTABLISHED";
}

void forget(Conn& conn, Who from, Mark& closing) {
  if (conn.ended && conn.ended.t <= closing.t) conn.ended = {};
  closing = {};
  conn.at_closing.reset();
  for (auto& hits : conn.hits) {
    const bool only_this = hits.from == from && !hits.data && !hits.syn && !hits.pure_ack && (hits.rst || hits.fin);
    if (only_this) hits.open_first = {}, hits.rst = hits.fin = 0, hits.any_end = false;
  }
}

}  // namespace

// Both sockets were seen with the connection open later on: neither had sent it, and it reached nobody.
bool outlived_reset(const Conn& conn, Who from) {
  const auto& rst = conn.stream[from].rst;
  return rst && conn.seen_after(from, rst.t) && conn.seen_after(other(from), rst.t);
}

// The same of a FIN, which a socket that sent or met one shows in its state.
bool outlived_fin(const Conn& conn, Who from) {
  const auto& fin = conn.stream[from].fin;
  return fin && untouched_after(conn, from, fin) && untouched_after(conn, other(from), fin);
}

void forget_outlived(Conn& conn) {
  for (const Who who : {Who::client, Who::server}) {
    auto& stream = conn.stream[who];
    if (outlived_reset(conn, who)) forget(conn, who, stream.rst);
    if (outlived_fin(conn, who)) forget(conn, who, stream.fin);
  }
}

}  // namespace lab::verdict
