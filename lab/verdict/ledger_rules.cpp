// Rules, drop reasons, conntrack: what took a hand in a flow between its two ends.
#include <algorithm>
#include <sstream>
#include <utility>

#include "verdict/ledger.hpp"
#include "verdict/reasons.hpp"

namespace lab::verdict {
namespace {

RuleKey key_of(const evidence::TraceHit& hit) { return {hit.netns, hit.family, hit.table, hit.chain, hit.handle}; }
RuleKey key_of(const evidence::RuleState& rule) {
  return {rule.netns, rule.family, rule.table, rule.chain, rule.handle};
}

// "tcp dport set 9", "tcp option maxseg size set 100", "@th,16,16 set 9": a write into the segment. Marks, meta and ct
// values are the kernel's own notes.
bool rewrites(const std::string& text) {
  if (text.find("reset tcp option") != std::string::npos) return true;
  std::istringstream words(text);
  std::string before, last, word;
  while (words >> word) {
    const bool note = last == "mark" || before == "meta" || before == "ct";
    if (word == "set" && !last.empty() && !note) return true;
    before = std::exchange(last, word);
  }
  return false;
}

bool has(const std::string& flags, char flag) { return flags.find(flag) != std::string::npos; }

bool same_eater(const Hits& a, const Hits& b) {
  return a.rule == b.rule && a.from == b.from && a.key == b.key && a.reason == b.reason && a.hook == b.hook;
}

}  // namespace

bool still_missing(const Conn& conn, const Hits& hits) {
  const auto& own = conn.stream[hits.from];
  const auto& back = conn.stream[other(hits.from)];
  if (hits.rst) return true;
  if (hits.any_end && (!own.answered || behind(own.acked, hits.end))) return true;
  if (hits.probes && back.last.t < hits.last.t) return true;  // nothing has come back since
  if (!hits.any_end && hits.pure_ack)
    return !back.answered || (back.open() && (!hits.any_ack || behind(back.acked, hits.ack)));
  return hits.icmp > 0 || (hits.syn && !conn.handshake);
}

Hits as_of(const Hits& hits, std::int64_t t) {
  auto then = hits;
  const auto open = [&](const Hits::Mended& one) { return one.at.t > t && (one.first.t <= t || one.first.read_time); };
  if (const auto at = std::find_if(hits.mended.begin(), hits.mended.end(), open); at != hits.mended.end()) {
    then.open_first = at->first;
    then.open_seq = at->seq;
  }
  return then;
}

namespace {

// By an acknowledgement: of what it ate, or with what it ate.
bool made_good(const Conn& conn, const Hits& hits) {
  if (still_missing(conn, hits)) return false;
  const auto& back = conn.stream[other(hits.from)];
  return hits.any_end || (hits.pure_ack && !(hits.any_ack && behind(back.acked, hits.ack)));
}

}  // namespace

void Ledger::note_mended(Conn& conn, Mark mark) {
  constexpr std::size_t few = 8;
  for (auto& hits : conn.hits) {
    if (!hits.open_first || !made_good(conn, hits)) continue;
    if (hits.mended.size() == few) hits.mended.erase(hits.mended.begin());
    hits.mended.push_back({std::exchange(hits.open_first, {}), mark, hits.open_seq});
  }
}

void Ledger::eaten(Conn& conn, Hits&& hit, const std::string& flags, std::uint32_t seq,
                   std::optional<std::uint32_t> ack, std::uint32_t length, Mark mark) {
  auto at = std::find_if(conn.hits.begin(), conn.hits.end(), [&](const Hits& h) { return same_eater(h, hit); });
  if (at == conn.hits.end()) {
    conn.hits.push_back(std::move(hit));
    at = conn.hits.end() - 1;
    at->first = mark;
    at->first_ack = ack.value_or(0);
  } else {
    if (at->text.empty()) at->text = hit.text;
    if (at->action.empty()) at->action = hit.action;
    if (!still_missing(conn, *at)) at->open_first = {};  // all before were made good
    at->icmp += hit.icmp;
  }
  auto& all = *at;
  ++all.count;
  all.last = mark;
  all.last_ack = ack.value_or(0);
  if (!all.open_first) {
    all.open_first = mark;
    all.open_seq = seq;
  }
  all.max_length = std::max(all.max_length, length);
  const bool syn = has(flags, 'S'), fin = has(flags, 'F'), rst = has(flags, 'R');
  // A client sends anything but a SYN only once its handshake is over.
  if (all.from == Who::client && !syn && !rst && has(flags, 'A') && !conn.handshake) {
    conn.handshake = true;
    conn.handshake_at = mark;
  }
  all.syn += syn;
  all.fin += fin;
  all.rst += rst;
  all.data += length > 0;
  if (syn || rst || flags == "I") return;
  if (length || fin) {
    const auto end = seq + length + (fin ? 1U : 0U);
    if (!all.any_end || behind(all.end, end)) all.end = end;
    all.any_end = true;
  } else {
    ++all.pure_ack;
    if (conn.stream[all.from].started && seq + 1 == conn.stream[all.from].next) ++all.probes;
    const auto& back = conn.stream[other(all.from)];
    if (!ack && back.started) ack = back.next;  // it acknowledged no more than that
    if (ack && (!all.any_ack || behind(all.ack, *ack))) all.ack = *ack;
    all.any_ack |= ack.has_value();
  }
  if (made_good(conn, all)) all.open_first = {};  // before it was told
}

template <class Told>
void Ledger::put_off(const Told& told, Mark mark) {
  constexpr std::size_t most = 4096;
  if (!told.source.port || !told.target.port || put_off_ >= most) return;
  ++put_off_;
  early_[{told.source, told.target}].emplace_back(told, mark);
}

void Ledger::take(const evidence::TraceHit& hit, Mark mark) {
  auto found = find(hit.source, hit.target);
  if (hit.verdict != "drop" && hit.action != "reject") {
    const bool writes = rewrites(hit.text);
    // The trace shows a packet as the rule left it.
    if (writes && !found.conn && !hit.icmp) found = astray(hit.source, hit.target, hit.seq);
    if (writes && found.conn && !found.conn->rewritten) {
      found.conn->rewritten = mark;
      found.conn->rewriter = {
          .rule = true, .key = key_of(hit), .name = hit.name, .text = hit.text, .hook = hit.hook, .from = found.from};
    }
    return;
  }
  if (!found.conn && hit.mtu) return too_big_eaten(hit, mark);
  if (!found.conn) {
    // An eaten SYN is on no wire: the rule is the first to tell of the connection.
    if (hit.icmp || !has(hit.flags, 'S') || has(hit.flags, 'A') || !hit.source.known()) return put_off(hit, mark);
    found = make(hit.source, hit.target, mark);
    found.conn->known_order = true;
  }
  Hits one{.rule = true,
           .key = key_of(hit),
           .name = hit.name,
           .text = hit.text,
           .hook = hit.hook,
           .action = hit.action,
           .type = hit.type,
           .from = found.from,
           .icmp = hit.icmp ? 1U : 0U};
  if (hit.icmp)
    eaten(*found.conn, std::move(one), "I", 0, 0, 0, mark);  // an ICMP message has no number of the flow's own
  else
    eaten(*found.conn, std::move(one), hit.flags, hit.seq, hit.ack, hit.length, mark);
}

void Ledger::too_big_eaten(const evidence::TraceHit& hit, Mark mark) {
  constexpr std::size_t most = 256;
  auto& all = facts_.too_big;
  const auto same = [&](const TooBigEaten& one) {
    return one.rule.key == key_of(hit) && one.to == hit.target && one.mtu == hit.mtu;
  };
  auto at = std::find_if(all.begin(), all.end(), same);
  if (at == all.end()) {
    if (all.size() == most) return;
    all.push_back({.rule = {.rule = true,
                            .key = key_of(hit),
                            .name = hit.name,
                            .text = hit.text,
                            .hook = hit.hook,
                            .action = hit.action,
                            .type = hit.type},
                   .to = hit.target,
                   .mtu = hit.mtu});
    at = all.end() - 1;
    at->rule.first = mark;
  }
  ++at->rule.count;
  at->rule.last = mark;
}

void Ledger::take(const evidence::RuleState& rule, Mark mark) {
  auto& one = facts_.rules[key_of(rule)];
  one.key = key_of(rule);
  if (rule.when == "start") {
    one.at_start = true;
    one.packets_before = rule.packets;
  } else {
    one.at_end = true;
    one.end = mark;
    if (one.at_start && one.state.text != rule.text) one.packets_before = 0;  // another one by now
  }
  one.packets = rule.packets;
  one.state = rule;
}

void Ledger::take(const evidence::KernelEvent& event, Mark mark) {
  const auto found = find(event.source, event.target);
  if (event.socket && found.conn) by_socket_[event.socket] = {index_of(*found.conn), found.from};
  if (event.kind == "send-reset") return reset_built(event, mark);
  if (!found.conn) return event.kind == "drop" || event.kind == "state" ? put_off(event, mark) : void();
  auto& conn = *found.conn;
  if (event.kind == "drop") {
    if (!takes_segment(event.reason)) return;
    Hits one{.rule = false, .reason = event.reason, .where = event.where, .from = found.from};
    eaten(conn, std::move(one), event.flags, event.seq, {}, event.length, mark);
  } else if (event.kind == "retransmit") {
    if (!conn.retransmit[found.from]) conn.retransmit[found.from] = mark;
  } else if (event.kind == "state") {
    const bool leaves = event.old_state == "ESTABLISHED" && (event.state == "FIN_WAIT1" || event.state == "CLOSE");
    if (leaves || (event.old_state == "CLOSE_WAIT" && event.state == "LAST_ACK"))
      if (auto& closing = conn.kernel_closed[found.from]; !closing.at) closing = {mark, event.pid, event.call};
    if (found.from == Who::client && event.state == "ESTABLISHED" && !conn.handshake) {
      conn.handshake = true;
      conn.handshake_at = mark;
    }
    if (found.from == Who::server && event.old_state == "SYN_RECV" && !conn.opening.exact)
      conn.opening = {.at = mark, .exact = true};
  }
}

void Ledger::reset_built(const evidence::KernelEvent& event, Mark mark) {
  facts_.resets_reasoned |= !event.reason.empty();
  auto found = find(event.source, event.target);
  if (!found.conn && event.socket)
    if (const auto at = by_socket_.find(event.socket); at != by_socket_.end())
      found = {&facts_.conns[at->second.first], at->second.second};
  KernelReset reset{.reason = event.reason, .state = event.state.empty() ? event.old_state : event.state, .at = mark};
  if (!found.conn) {
    facts_.stray_resets.push_back(std::move(reset));
    return;
  }
  auto& built = found.conn->built[found.from];
  if (built.size() < 8) built.push_back(std::move(reset));
}

}  // namespace lab::verdict
