// What did not get through, and how it came out for whoever waited.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "verdict/case.hpp"
#include "verdict/names.hpp"
#include "verdict/unread.hpp"

namespace lab::verdict {

std::uint32_t unread_in(std::string_view state, std::uint32_t receive_queue) {
  const bool finished = state == "CLOSE_WAIT" || state == "LAST_ACK" || state == "CLOSING";
  return receive_queue - (finished && receive_queue ? 1U : 0U);
}
namespace {

using What = Complaint::What;

std::string socket_text(Who who, const evidence::SocketState& s) {
  std::string text = fmt::format("the {}'s socket: {}", name_of(who), s.state);
  if (!s.timer.empty()) text += fmt::format(", {} timer", s.timer);
  if (s.unacked) text += fmt::format(", {} not acknowledged", plural(s.unacked, "segment"));
  if (s.not_sent) text += fmt::format(", {} not sent", plural(s.not_sent, "byte"));
  if (s.retransmits || s.backoff) text += fmt::format(", {}", plural(std::max(s.retransmits, s.backoff), "attempt"));
  if (const auto unread = unread_in(s.state, s.receive_queue))
    text += fmt::format(", {} unread", plural(unread, "byte"));
  if (!s.error.empty()) text += fmt::format(", pending error {}", s.error);
  return text;
}

bool struggles(const evidence::SocketState& s) {
  const bool waiting = s.unacked > 0 || s.not_sent > 0 || s.bytes_sent > s.bytes_acked + 1;
  return waiting && (s.retransmits || s.backoff || s.probes);
}

}  // namespace

// A socket that was closed is in FIN_WAIT1 or LAST_ACK at once (tcp_close_state, net/ipv4/tcp.c), whatever becomes of
// its FIN. One that is still as before has another holder: a child, a parent, a program that inherited it.
const SocketFacts* Case::held_open(Who who, const Deed& closing_call) const {
  constexpr std::int64_t later = 1'000'000;  // the clock of the snapshot against that of the call
  if (closing_call.kind != Kind::close || closing_call.error) return nullptr;
  const auto& seen = conn.alive[who];
  return seen && seen->state.inode != 0 && seen->at.t > closing_call.end + later ? &*seen : nullptr;
}

namespace {

// An orphan's exit may be told late, when init gets to reap it; its call is told at once. Nothing: it goes on.
std::optional<std::int64_t> end_of(const Process& process) {
  for (const auto& [tid, deed] : process.inside)
    if (deed.call == "exit_group") return deed.start;
  if (!process.exited || process.by_lab) return std::nullopt;
  return process.exited.t;
}

}  // namespace

const Process* Case::deserted_by(Who who, std::int64_t t) const {
  const auto& users = conn.acts[who].users;
  const auto& seen = conn.alive[who];
  const Process* last = nullptr;
  std::int64_t last_end = 0;
  for (const int pid : users) {
    const auto* process = facts.process(pid);
    const auto end = process ? end_of(*process) : std::nullopt;
    if (!end || *end > t || !seen || seen->at.t < *end) return nullptr;
    if (last && *end < last_end) continue;
    last = process;
    last_end = *end;
  }
  if (!last) return nullptr;
  const auto& pids = seen->state.pids;
  return std::any_of(pids.begin(), pids.end(), [&](int pid) { return !users.contains(pid); }) ? last : nullptr;
}

Gap Case::gap(Who from) const {
  Gap gap;
  const auto& stream = conn.stream[from];
  const auto& back = conn.stream[other(from)];
  const auto then = (complaint ? complaint->then : progress_of(conn))[from];
  const auto add = [&](Record r, const Mark& since) {
    gap.any = true;
    if (!gap.since || (since && since.t < gap.since.t)) gap.since = since;
    gap.records.push_back(std::move(r));
  };
  if (then.open) {
    gap.on_wire = true;
    auto repeated = stream.repeats ? plural(stream.repeats, "repetition") : "never repeated";
    if (!stream.last_seen.empty()) repeated += ", last seen at " + stream.last_seen;
    const auto acked = stream.acked == stream.next ? "too late" : fmt::format("up to {}", stream.acked);
    add(record("wire",
               fmt::format("{}: sent up to number {}, acknowledged {}, {}", way(from), stream.next, acked, repeated),
               then.open_since, stream.last_repeat),
        then.open_since);
  } else if (stream.syns > 1 && !conn.handshake) {
    add(record("wire", fmt::format("{} sent and not answered", plural(stream.syns, "SYN")), stream.syn,
               stream.last_repeat),
        stream.syn);
  }
  if (wire_complete && conn.wire && then.written > then.sent && !shut(other(from)))
    add(record("wire",
               fmt::format("{}: {} written, {} on the wire", way(from), plural(then.written, "byte"), then.sent),
               conn.acts[from].last_write),
        conn.acts[from].last_write);
  // Without room for what was written before, the FIN waits, too.
  if (wire_complete && conn.wire && !stream.fin && !stream.rst && !back.rst && !shut(other(from)))
    for (const auto& deed : conn.acts[from].closers)
      if (deed.kind != Kind::exec && deed.end < until() && !held_open(from, deed)) {
        add(record("wire", fmt::format("the {} closed and no FIN of its own is on the wire", name_of(from)), deed.mark),
            deed.mark);
        break;
      }
  for (const auto* known : {&conn.socket[from], &conn.gone[from]})
    if (const auto& seen = *known; seen && struggles(seen->state) && (!shut(other(from)) || !conn.wire))
      add(record("sockets", socket_text(from, seen->state), seen->at), Mark{});
  if (gap.any && !gap.since) gap.since = stream.last_data ? stream.last_data : conn.handshake_at;
  return gap;
}

bool Case::shut(Who who) const {
  const auto shut = [](const auto& end) { return end.zero_window && end.window == 0; };
  const auto& stream = conn.stream[who];
  return stream.last.t <= until() || !complaint ? shut(stream) : shut(complaint->then[who]);
}

std::int64_t Case::acked_at(Who from) const {
  const auto last = conn.stream[from].acked_at.t;
  return last <= until() || !complaint ? last : complaint->then[from].acked_at.t;
}

std::vector<Record> Case::effects() const {
  std::vector<Record> all;
  if (!complaint) return all;
  const auto& c = *complaint;
  if (c.deed) all.push_back(deed_record(c.victim, *c.deed));
  if (c.what == What::starved) {
    for (const Who from : {c.victim, other(c.victim)})
      for (auto& r : gap(from).records) all.push_back(std::move(r));
  } else if (c.what == What::no_connect) {
    const auto& syns = conn.stream.client;
    if (syns.syns)
      all.push_back(record("wire", fmt::format("{} from {}", plural(syns.syns, "SYN"), to_string(conn.client)),
                           syns.syn, syns.last_repeat));
    if (conn.stream.server.rst)
      all.push_back(record("wire", "the SYN was answered with a reset", conn.stream.server.rst));
  } else {
    for (auto& r : closing_records()) all.push_back(std::move(r));
  }
  return all;
}

std::vector<Record> Case::closing_records() const {
  std::vector<Record> all;
  if (!closing.any) return all;
  const auto& stream = conn.stream[closing.from];
  const char* what = closing.fin ? "FIN" : stream.rst_acks ? "RST,ACK" : "RST";
  all.push_back(
      record("wire",
             fmt::format("{} with the {}'s address, {} after the start, behind {} from it and {} to it", what,
                         name_of(closing.from), span_text(closing.at.t - conn.began.t), plural(stream.bytes, "byte"),
                         plural(conn.stream[other(closing.from)].bytes, "byte")),
             closing.at));
  if (first.at.event < closing.at.event)
    all.push_back(record(
        "wire", fmt::format("before it a {} with the {}'s address", first.fin ? "FIN" : "reset", name_of(first.from)),
        first.at));
  if (closing.fin)
    for (const Who who : {Who::client, Who::server})
      if (conn.stream[who].rst)
        all.push_back(
            record("wire", fmt::format("later a reset with the {}'s address", name_of(who)), conn.stream[who].rst));
  return all;
}

}  // namespace lab::verdict
