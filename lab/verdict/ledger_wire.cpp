#include <algorithm>

#include "verdict/ledger.hpp"
#include "verdict/tls.hpp"

namespace lab::verdict {
namespace {

bool has(const evidence::Segment& segment, char flag) { return segment.flags.find(flag) != std::string::npos; }

std::uint32_t end_of(const evidence::Segment& segment) {
  return segment.seq + segment.length + (has(segment, 'S') ? 1U : 0U) + (has(segment, 'F') ? 1U : 0U);
}

// Where a routed segment was seen: leaving its sender's namespace, arriving at the receiver's, or between. Else once.
struct Sighting {
  bool leaving = true, arriving = true;
};
Sighting sighting_of(const evidence::Segment& segment, Who from) {
  if (segment.netns.empty()) return {};
  const bool senders = segment.netns == name_of(from), receivers = segment.netns == name_of(other(from));
  return {.leaving = senders && segment.outgoing, .arriving = receivers && !segment.outgoing};
}

// A probe repeats the number before the next byte, with at most one byte (RFC 9293, 3.8.4 and 3.8.6.1).
bool is_probe(const Stream& stream, const evidence::Segment& segment) {
  return segment.length <= 1 && segment.seq + 1 == stream.next && segment.flags == "A" && stream.answered &&
         !behind(stream.acked, stream.next);
}

void acknowledged(Stream& stream, std::uint32_t ack, Mark mark) {
  if (!stream.answered) stream.acked = stream.syns ? stream.isn + 1 : ack;
  const bool news = behind(stream.acked, ack);
  if (news) {
    const bool with_fin = stream.fin && behind(stream.acked, stream.fin_seq + 1) && !behind(ack, stream.fin_seq + 1);
    const auto data = ack - stream.acked - with_fin;
    stream.delivered += data;
    if (data && !stream.fresh) stream.fresh = mark;
    stream.acked = ack;
  }
  if (news || !stream.answered) stream.acked_at = mark;
  if (!std::exchange(stream.answered, true)) stream.acked_first = mark;
}

bool over(const Conn& conn) {
  return conn.stream.client.rst || conn.stream.server.rst || (conn.stream.client.fin && conn.stream.server.fin);
}

}  // namespace

// What has no connection of its own and carries on the numbers of one we know: it was rewritten on its way, or is no
// longer.
Ledger::Found Ledger::astray(const Address& source, const Address& target, std::uint32_t seq) {
  for (std::size_t i = facts_.conns.size(); i-- > 0;) {
    auto& conn = facts_.conns[i];
    if (!conn.handshake) continue;
    for (const Who who : {Who::client, Who::server}) {
      const auto& stream = conn.stream[who];
      const auto& own = who == Who::client ? conn.client : conn.server;
      const auto& peer = who == Who::client ? conn.server : conn.client;
      const bool half = source == own || target == peer;
      if (half && stream.started && seq - stream.next + 65536U <= 131072U) return {&conn, who};
    }
  }
  return {};
}

bool Ledger::stray(const evidence::Segment& segment, Mark mark) {
  const auto found = astray(segment.source, segment.target, segment.seq);
  if (!found.conn) return false;
  if (!found.conn->strays++) {
    found.conn->stray = mark;
    found.conn->stray_to = to_string(segment.source) + " > " + to_string(segment.target);
  }
  return true;
}

Ledger::Found Ledger::place(const evidence::Segment& segment, Mark mark) {
  const bool syn = has(segment, 'S'), ack = has(segment, 'A');
  auto found = find(segment.source, segment.target);
  if (syn && !ack) {
    const bool fresh = !found.conn || (found.conn->stream.client.syns && found.conn->stream.client.isn != segment.seq);
    if (!fresh && found.from == Who::client && found.conn->wire) return found;
    // The same SYN behind an address translation.
    if (const auto at = by_isn_.find(segment.seq); at != by_isn_.end() && !found.conn) {
      auto& conn = facts_.conns[at->second];
      const bool same_client = conn.client == segment.source, same_server = conn.server == segment.target;
      if (same_client || same_server || !segment.netns.empty()) {
        conn.translated = true;
        if (!same_server) {
          conn.asked = conn.server;
          conn.server = segment.target;
        }
        alias(segment.source, segment.target, at->second, Who::client);
        return {&conn, Who::client};
      }
    }
    if (found.conn && !found.conn->wire) {  // a step or a look told of it before the wire did
      found.conn->client = segment.source;
      found.conn->server = segment.target;
      alias(segment.source, segment.target, index_of(*found.conn), Who::client);
      found.from = Who::client;
    } else {
      found = make(segment.source, segment.target, mark);
    }
    found.conn->known_order = true;
    by_isn_[segment.seq] = index_of(*found.conn);
    return found;
  }
  if (syn && ack && found.conn && !found.conn->wire)
    if (const auto joined = adopt_shell(*found.conn, segment); joined.conn) return joined;
  if (found.conn) return found;
  if (syn && ack) {
    if (const auto adopted = adopt_answer(segment); adopted.conn) return adopted;
    found = make(segment.target, segment.source, mark);
    found.conn->known_order = true;
    return {found.conn, Who::server};
  }
  if (stray(segment, mark)) return {};
  if (has(segment, 'R')) {
    // RST,ACK without a number answers a SYN that is on no wire (RFC 9293, 3.10.7.1).
    if (!ack || segment.seq != 0) return {};
    found = make(segment.target, segment.source, mark);
    found.conn->known_order = true;
    return {found.conn, Who::server};
  }
  // Seen from the middle: the listener is the server, else the lower port.
  const bool source_serves =
      listens(segment.source) || (!listens(segment.target) && segment.source.port < segment.target.port);
  found = source_serves ? make(segment.target, segment.source, mark) : make(segment.source, segment.target, mark);
  found.conn->handshake = true;
  return {found.conn, source_serves ? Who::server : Who::client};
}

void Ledger::take(const evidence::Segment& segment, Mark mark) {
  if (facts_.stopping) return;  // the lab itself closes what is left
  facts_.wire_namespaces.insert(segment.netns);
  if (has(segment, 'R') && (segment.netns.empty() || segment.outgoing)) ++facts_.wire_resets[segment.netns];
  const auto found = place(segment, mark);
  if (!found.conn) return;
  auto& conn = *found.conn;
  conn.wire = true;
  if (!conn.at_closing && conn.handshake && (has(segment, 'F') || has(segment, 'R')))
    conn.at_closing = progress_of(conn);
  const auto sighting = sighting_of(segment, found.from);
  if (sighting.leaving) sent(conn, found.from, segment, mark);
  if (sighting.arriving) arrived(conn, found.from, segment, mark);
  if (!sighting.leaving && !sighting.arriving) {
    auto& stream = conn.stream[found.from];
    stream.last_seen = segment.netns + (segment.outgoing ? " out " : " in ") + segment.device;
    stream.went_into = segment.outgoing ? "" : segment.netns;
  }
  note_translation(conn, found.from, segment, mark);
  note_mended(conn, mark);
}

// A translated flow whose later segments carry the address that the client asked for, or its own at the server's end,
// is translated no more.
void Ledger::note_translation(Conn& conn, Who from, const evidence::Segment& segment, Mark mark) {
  if (from == Who::client && !segment.netns.empty() && sighting_of(segment, from).arriving) {
    if (!conn.shown.known()) conn.shown = segment.source;
    if (conn.translated && conn.handshake && !conn.untranslated && segment.source != conn.shown)
      conn.untranslated = mark;
  }
  if (!conn.translated || conn.untranslated || from != Who::client || !conn.handshake) return;
  if (conn.asked.known() && segment.netns.empty() && segment.target == conn.asked) conn.untranslated = mark;
}

void Ledger::sent(Conn& conn, Who from, const evidence::Segment& segment, Mark mark) {
  auto& stream = conn.stream[from];
  const bool syn = has(segment, 'S'), fin = has(segment, 'F'), rst = has(segment, 'R');
  const auto end = end_of(segment);
  stream.segments += 1 + segment.folded;
  ++stream.left;
  stream.last = mark;
  stream.longest = std::max(stream.longest, segment.length);
  if (!stream.first) {
    stream.first = mark;
    stream.ttl = segment.ttl;
  }
  stream.mptcp |= segment.mptcp;
  stream.md5 |= segment.md5;
  if (syn) {
    if (!stream.syns++) {
      stream.syn = mark;
      stream.isn = segment.seq;
    }
  }
  if (rst) {
    ++stream.rsts_left;
    return;
  }
  conn.stream[other(from)].unanswered = 0;
  if (segment.window == 0 && !syn) stream.zero_window = mark;
  stream.window = segment.window;
  if (is_probe(stream, segment) && !fin && !syn) {
    ++stream.probes, ++stream.unanswered;
    return;
  }
  const bool fresh = !stream.started || behind(stream.next, end);
  const auto begin = stream.started && behind(segment.seq, stream.next) ? stream.next : segment.seq;
  // Bulk that was left out, though the segment that stands for it may be a plain acknowledgement.
  if (segment.folded && stream.started && behind(stream.next, begin)) {
    stream.bytes += begin - stream.next;
    stream.data_segments += segment.folded;
    if (!stream.open()) stream.open_since = mark;
    stream.last_data = mark;
  }
  if (segment.length || fin || (syn && stream.syns > 1)) {
    if (fresh) {
      if (!stream.open()) stream.open_since = mark;
      if (segment.length) {
        stream.bytes += segment.seq + segment.length - begin;
        ++stream.data_segments;
        if (!stream.first_data) {
          stream.first_data = mark;
          stream.head = segment.head;
        } else if (!stream.alert && segment.length == 7 && fatal_alert(segment.head)) {
          stream.alert = mark;
        }
        stream.last_data = mark;
        if (stream.fin && !behind(segment.seq, stream.fin_seq)) stream.past_fin = mark;
      }
    } else {
      ++stream.repeats;
      stream.last_repeat = mark;
      if (stream.fin && segment.length && !fin && segment.seq == stream.fin_seq) stream.past_fin = mark;
    }
  }
  if (fin) {
    ++stream.fins_left;
    ++stream.fins;
    if (!stream.fin || outlived_fin(conn, from)) {
      stream.fin = mark;
      stream.fin_seq = segment.seq + segment.length;
      stream.closing_ttl = segment.ttl;
    }
  }
  if (fresh) stream.next = end;
  stream.started = true;
}

void Ledger::arrived(Conn& conn, Who from, const evidence::Segment& segment, Mark mark) {
  auto& stream = conn.stream[from];
  auto& back = conn.stream[other(from)];
  const bool fin = has(segment, 'F'), rst = has(segment, 'R');
  ++stream.arrived;
  if (segment.length) stream.arrived_to = segment.seq + segment.length;
  if (fin && !stream.fin) {  // seen arriving without having left: not that end's own
    ++stream.fins;
    stream.fin = mark;
    stream.fin_seq = segment.seq + segment.length;
    stream.closing_ttl = segment.ttl;
  }
  if (rst) {
    const bool finished =
        conn.stream.client.fin && conn.stream.server.fin && !conn.stream.client.open() && !conn.stream.server.open();
    if (finished) {
      stream.late_rst = true;
      return;
    }
    if (!stream.rsts++ || outlived_reset(conn, from)) {
      stream.rst = mark;
      stream.rst_seq = segment.seq;
      stream.rst_acks = has(segment, 'A');
      if (!stream.fin) stream.closing_ttl = segment.ttl;
    }
    conn.ended = mark;
    return;
  }
  if (has(segment, 'A') && back.started) acknowledged(back, segment.ack, mark);
  // The client's ACK ends the handshake; a connect() that returned says the same (ledger_acts.cpp).
  if (!conn.handshake && from == Who::client && has(segment, 'A') && !has(segment, 'S')) {
    conn.handshake = true;
    conn.handshake_at = mark;
  }
  if (over(conn) && !conn.ended) conn.ended = mark;
}

void Ledger::take(const evidence::IcmpError& icmp, Mark mark) {
  const auto found = find(icmp.quoted_source, icmp.quoted_target);
  if (!found.conn) return;
  auto& all = found.conn->icmp;
  const auto same = [&](const IcmpFacts& one) {
    return one.type == icmp.type && one.code == icmp.code && one.quoted == found.from;
  };
  if (const auto at = std::find_if(all.begin(), all.end(), same); at != all.end()) {
    ++at->count;
    return;
  }
  all.push_back({.netns = icmp.netns,
                 .type = icmp.type,
                 .code = icmp.code,
                 .mtu = icmp.mtu,
                 .count = 1,
                 .from = icmp.source,
                 .quoted = found.from,
                 .first = mark});
}

}  // namespace lab::verdict
