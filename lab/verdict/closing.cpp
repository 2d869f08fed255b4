// Which segment closed the connection, and whose it was: TCP's own, a firewall's, or nobody's.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/case.hpp"
#include "verdict/deeds.hpp"
#include "verdict/names.hpp"
#include "verdict/tls.hpp"

namespace lab::verdict {
namespace {

using Builder = Closing::Builder;

bool resets(const Hits& hits) {
  return hits.rule && hits.action == "reject" &&
         (hits.text.empty() || hits.text.find("tcp reset") != std::string::npos);
}

const Hits* rejecting_rule(const Conn& conn, Who victim, std::uint32_t rst_seq) {
  const Hits* found = nullptr;
  for (const auto& hits : conn.hits) {
    if (!resets(hits) || hits.from != victim) continue;
    // A reject's reset takes its number from the acknowledgement of the segment it refuses
    // (nf_reject_ip_tcphdr_put, net/ipv4/netfilter/nf_reject_ipv4.c).
    if (hits.first_ack == rst_seq || hits.last_ack == rst_seq) return &hits;
    if (!found) found = &hits;
  }
  return found;
}

// Reset rules whose work would not be seen in the trace.
bool unwatched_reset_rule(const Facts& facts) {
  return std::any_of(facts.rules.begin(), facts.rules.end(), [](const auto& entry) {
    const auto& rule = entry.second;
    if (rule.state.text.find("tcp reset") == std::string::npos) return false;
    return !rule.state.counted || rule.hits() > 0;
  });
}

void judge_fin(const Case& one, Closing& closing) {
  const auto& stream = one.conn.stream[closing.from];
  closing.builder = Builder::tcp;
  closing.certain = true;
  const char* end = name_of(closing.from);
  if (stream.past_fin) {
    closing.why.push_back(record(
        "wire", fmt::format("the {} went on sending at number {}, where its FIN would have stood", end, stream.fin_seq),
        stream.past_fin));
  }
  if (const auto* socket = one.conn.seen_after(closing.from, closing.at.t); socket)
    closing.why.push_back(record("sockets",
                                 fmt::format("the {}'s socket is {} {} after the FIN that bears its address", end,
                                             socket->state.state, span_text(socket->at.t - closing.at.t)),
                                 socket->at));
  if (!one.loopback() && one.facts.wire_namespaces.count(end) && stream.fins_left == 0)
    closing.why.push_back(record(
        "wire", fmt::format("the FIN arrived at the {} and never left the {}", name_of(other(closing.from)), end),
        closing.at));
  if (closing.why.empty()) return;
  if (stream.closing_ttl && stream.ttl && stream.closing_ttl != stream.ttl)
    closing.why.push_back(record(
        "wire", fmt::format("its TTL is {}, that of the flow's other segments {}", stream.closing_ttl, stream.ttl),
        closing.at));
  closing.builder = Builder::injected;
}

enum class Origin { unknown, tcp, alien };

// Its shape is that of an answer to a segment for which there was no socket: no ACK, or number 0 (RFC 9293, 3.10.7.1).
bool answers(const Stream& stream) { return !stream.rst_acks || stream.rst_seq == 0; }

// Whether TCP built the resets that bear this end's address.
Origin origin_of_reset(const Case& one, Closing& closing) {
  const auto& conn = one.conn;
  const auto& facts = one.facts;
  const auto& stream = conn.stream[closing.from];
  const char* end = name_of(closing.from);
  const auto alien = [&](std::string source, std::string text, const Mark& mark) {
    closing.why.push_back(record(std::move(source), std::move(text), mark));
    return Origin::alien;
  };
  const bool routed = !one.loopback() && facts.wire_namespaces.count(end);
  if (routed && stream.rsts_left == 0)
    return alien("wire",
                 fmt::format("the reset arrived at the {} and never left the {}", name_of(other(closing.from)), end),
                 closing.at);
  if (!conn.built[closing.from].empty()) {
    const auto& built = conn.built[closing.from].front();
    closing.why.push_back(
        record("kernel", fmt::format("the {}'s TCP built the reset: {} in state {}", end, built.reason, built.state),
               built.at));
    return Origin::tcp;
  }
  if (const auto* socket = conn.seen_after(closing.from, closing.at.t); socket)
    return alien("sockets",
                 fmt::format("the {}'s socket is still {} {} after the reset that bears its address", end,
                             socket->state.state, span_text(socket->at.t - closing.at.t)),
                 socket->at);
  const std::string netns = routed ? end : "";
  if (facts.complete("counters") && facts.counters.count(netns)) {
    const auto& all = facts.counters.at(netns);
    const auto at = all.find("TcpOutRsts");
    const auto built = at == all.end() ? 0 : at->second.change;
    const auto on_wire = facts.wire_resets.count(netns) ? facts.wire_resets.at(netns) : 0;
    const auto text =
        fmt::format("TcpOutRsts moved by {}, {} on the wire", built, plural(on_wire, "reset is", "resets are"));
    const Mark mark = at == all.end() ? Mark{} : at->second.at;
    if (built == 0) return alien("counters", text, mark ? mark : closing.at);
    // A reset was eaten, or more were built than seen: which of those seen TCP built is open.
    const bool eaten = std::any_of(conn.hits.begin(), conn.hits.end(), [](const Hits& h) { return h.rst > 0; });
    if (!eaten && static_cast<std::uint64_t>(built) == on_wire) {
      closing.why.push_back(record("counters", text, mark));
      return Origin::tcp;
    }
  }
  const bool stray = std::any_of(facts.stray_resets.begin(), facts.stray_resets.end(), [&](const KernelReset& r) {
    return r.at.t > closing.at.t - 50'000'000 && r.at.t < closing.at.t + 50'000'000;
  });
  if (facts.complete("kernel") && !stray && (facts.resets_reasoned || !answers(stream)))
    return alien("kernel", fmt::format("no TCP built a reset for the {}", end), closing.at);
  return Origin::unknown;
}

void judge_reset(const Case& one, Closing& closing) {
  const auto origin = origin_of_reset(one, closing);
  closing.builder = origin == Origin::tcp ? Builder::tcp : Builder::unknown;
  closing.certain = origin == Origin::tcp;
  if (origin == Origin::tcp) return;
  closing.rule = rejecting_rule(one.conn, other(closing.from), one.conn.stream[closing.from].rst_seq);
  if (closing.rule) {
    const auto number = one.conn.stream[closing.from].rst_seq;
    closing.builder = Builder::firewall;
    closing.certain = origin == Origin::alien || closing.rule->first_ack == number || closing.rule->last_ack == number;
    return;
  }
  if (origin == Origin::unknown) return;
  const bool traced = one.facts.complete("nft-trace") && !unwatched_reset_rule(one.facts);
  closing.builder = traced ? Builder::injected : Builder::foreign;
  closing.certain = traced;
}

// Each CPU has a queue of its own for loopback: a reset may come before the FIN that its socket had sent. Nothing is
// sent behind one's own reset; that which answers a segment has a number not beyond the FIN's (tcp_rcv_state_process()
// in FIN_WAIT1, net/ipv4/tcp_input.c), and by the kernel's word the socket had been closed by then.
bool overtook_its_fin(const Case& one, const Closing& closing) {
  const auto& stream = one.conn.stream[closing.from];
  const auto& closed = one.conn.kernel_closed[closing.from].at;
  return closing.builder == Builder::tcp && stream.fin && !stream.rst_acks && closed && closed.t <= stream.rst.t &&
         !behind(stream.fin_seq, stream.rst_seq);
}

// The first closing segment of these ends, and whose it was.
Closing closing_of(const Case& one, std::initializer_list<Who> ends) {
  Closing closing;
  const auto consider = [&](Who from, const Mark& mark, bool fin) {
    if (!mark || (closing.any && closing.at.event < mark.event)) return;
    closing.any = true;
    closing.fin = fin;
    closing.from = from;
    closing.at = mark;
  };
  if (!one.conn.handshake) return closing;
  for (const Who who : ends) {
    consider(who, one.conn.stream[who].fin, true);
    consider(who, one.conn.stream[who].rst, false);
  }
  if (!closing.any) return closing;
  if (closing.fin)
    judge_fin(one, closing);
  else
    judge_reset(one, closing);
  closing.fin |= overtook_its_fin(one, closing);
  return closing;
}

// A FIN of its own ended only its own direction: the end of file or reset that its call met came from the other end.
bool ended_only_its_own(const Case& one) {
  const auto& complaint = one.complaint;
  if (!complaint || !one.first.fin || one.first.foreign() || one.first.from != complaint->victim) return false;
  if (complaint->what == Complaint::What::eof || complaint->what == Complaint::What::reset)
    return complaint->deed.has_value() || alerted(one.conn, other(complaint->victim), complaint->at.t);
  const auto& closers = one.conn.acts[complaint->victim].closers;
  return complaint->what == Complaint::What::cut && !closers.empty() && closers.front().kind == Kind::shut;
}

// By then it had ended its own direction alone: the other was open, until a reset ended both.
bool half_closed_only(const Case& one, Who who, std::int64_t t) {
  const auto& closers = one.conn.acts[who].closers;
  const auto by_then = [&](const Deed& deed) { return deed.start <= t; };
  return std::any_of(closers.begin(), closers.end(), by_then) &&
         std::all_of(closers.begin(), closers.end(),
                     [&](const Deed& deed) { return !by_then(deed) || writes_only(deed); });
}

}  // namespace

Closing first_closing(const Case& one) { return closing_of(one, {Who::client, Who::server}); }

Closing decisive_closing(const Case& one) {
  auto closing = ended_only_its_own(one) ? closing_of(one, {other(one.victim())}) : one.first;
  // A FIN leaves the other direction open, and what came of it later is told by the reset.
  const auto& stream = one.conn.stream[other(one.victim())];
  if (!one.gone() || one.complaint->what == Complaint::What::eof || closing.foreign() || !stream.rst) return closing;
  auto reset = closing;
  if (closing.fin || closing.from != other(one.victim())) {
    reset = {.any = true, .from = other(one.victim()), .at = stream.rst};
    judge_reset(one, reset);
  }
  if (closing.fin && half_closed_only(one, closing.from, stream.rst.t)) {
    reset.both = reset.from == closing.from;
    return reset;
  }
  return !reset.foreign() && answers_for_nobody(one, reset) ? reset : closing;
}

}  // namespace lab::verdict
