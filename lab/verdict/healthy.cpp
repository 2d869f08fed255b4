// A connection that nobody complained of, how sure it is that nobody had reason to, and what would make it surer.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/arbiter.hpp"
#include "verdict/bearing.hpp"
#include "verdict/kept_from.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

// The client looked for an answer to what it had said last, something else woke it or another thread ended it, and it
// went without.
bool may_have_waited(const Case& one) {
  const auto& acts = one.conn.acts.client;
  const auto gone = departure(one, Who::client);
  const auto went = gone.t;
  const auto for_long = [&](const std::optional<Deed>& look, std::int64_t end) {
    return look && waited_long(acts, *look, end) && went >= end && went - end <= kThinks;
  };
  if (!one.conn.handshake || !gone || !acts.last_write || !is_owed(acts, Who::client, {})) return false;
  const bool reads = acts.pending && acts.pending->kind == Kind::read;
  return for_long(acts.idle, acts.idle ? acts.idle->end : 0) || (reads && for_long(acts.pending, went));
}

// It ended, and says that it did not go well.
bool failed(const Case& one, Who who) {
  const auto holders = one.holders(who);
  return std::any_of(holders.begin(), holders.end(), [&](int pid) {
    const auto* process = one.facts.process(pid);
    return process && process->exited && !process->by_lab && process->status != 0;
  });
}

// The client read something and looked for more, and the server had not ended its own direction: it was in that look
// to the end, or failed behind it.
bool looked_for_more(const Case& one) {
  const auto& acts = one.conn.acts.client;
  if (!one.conn.handshake || acts.met_end || one.conn.stream.server.fin || !acts.last_read) return false;
  const auto in_vain = [&](const Complaint& c) {
    return c.victim == Who::client && c.what == Complaint::What::starved && !c.made_good && c.deed &&
           c.deed->timed_out && c.deed->start >= acts.last_read.t;
  };
  if (acts.pending && acts.pending->kind == Kind::read && acts.pending->start >= acts.last_read.t) return true;
  return std::any_of(one.conn.complaints.begin(), one.conn.complaints.end(), in_vain) && failed(one, Who::client);
}

// The server's process says that it did not go well, and the client met the end that came of it.
bool ended_by_a_failure(const Case& one) {
  const auto closer = one.closer(Who::server);
  return one.conn.acts.client.met_end && closer.how == Closer::How::exited && closer.process &&
         closer.process->status != 0;
}

}  // namespace

std::vector<std::string> missing_sources(const Facts& facts) {
  static constexpr std::pair<std::string_view, std::string_view> tells[] = {
      {"wire", "which segments were sent"},
      {"nft-trace", "which rule took a segment"},
      {"kernel", "why the kernel dropped a packet or built a reset"},
      {"syscalls", "what the programs' calls returned"},
      {"sockets", "queues, timers and owners of the sockets"},
      {"counters", "who built a reset"},
      {"filters", "what seccomp filters answered"},
      {"changes", "what changed in the system meanwhile"},
      {"processes", "whether a process was stopped"},
      {"actors", "how processes ended"}};
  std::vector<std::string> all;
  for (const auto& [source, what] : tells) {
    const auto at = facts.sources.find(source);
    if (facts.complete(source)) continue;
    std::string why = at == facts.sources.end() ? "not there"
                      : !at->second.on          ? (at->second.why.empty() ? "off" : "off: " + at->second.why)
                                                : fmt::format("lost {}", plural(at->second.lost, "event"));
    all.push_back(fmt::format("{} would have told {} ({})", source, what, why));
  }
  return all;
}

Decision healthy(const Case& one) {
  Decision d;
  d.verdict.cause = "none";
  const auto& c = one.conn.stream.client;
  const auto& s = one.conn.stream.server;
  const bool seen = one.wire_complete && one.conn.wire;
  d.verdict.status = seen && one.acts_known(Who::client) ? Status::confirmed : Status::likely;
  const bool ended = c.fin && s.fin;
  d.verdict.summary =
      ended ? fmt::format("Both ends closed it after {} and {}", plural(c.bytes, "byte"), plural(s.bytes, "byte"))
            : "The connection was healthy to the end of what was seen";
  if (seen && !one.complaint) {
    Mark last = c.fin ? c.fin : c.last_data;
    d.verdict.because.push_back({"wire",
                                 fmt::format("client to server {}, server to client {}, nothing left unacknowledged",
                                             plural(c.bytes, "byte"), plural(s.bytes, "byte")),
                                 last ? std::vector<std::size_t>{last.event} : std::vector<std::size_t>{}});
    if (c.repeats + s.repeats)
      d.verdict.because.push_back(
          {"wire", fmt::format("{} made good what was lost", plural(c.repeats + s.repeats, "repetition")), {}});
  }
  if (d.verdict.status != Status::confirmed) d.verdict.next = missing_sources(one.facts);
  const auto unsure = [&](const char* why) {
    d.verdict.status = Status::likely;
    d.verdict.because.push_back({"not excluded", why, {}});
  };
  if (!one.complaint && looked_for_more(one))
    unsure("the client looked for more after what it had read, and none came");
  if (!one.complaint && ended_by_a_failure(one))
    unsure("the server's process ended with a failure, which closed the connection");
  if (one.complaint || may_have_waited(one))
    unsure("the client had no answer to what it said last, and may have waited for it");
  return d;
}

}  // namespace lab::verdict
