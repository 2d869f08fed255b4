// There was no handshake to speak of.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/cause.hpp"
#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

const Hits* syn_eater(const Case& one, bool rules) {
  for (const auto& hits : one.conn.hits)
    if (hits.rule == rules && hits.open_first && (hits.rule || hits.reason == "NETFILTER_DROP" || !rules)) return &hits;
  return nullptr;
}

int error_of(const Case& one) { return one.complaint && one.complaint->deed ? one.complaint->deed->error : 0; }
bool refused_on_wire(const Case& one) { return bool(one.conn.stream.server.rst); }

const IcmpFacts* refusal(const Case& one) {
  const auto at = std::find_if(one.conn.icmp.begin(), one.conn.icmp.end(),
                               [](const IcmpFacts& i) { return i.quoted == Who::client; });
  return at == one.conn.icmp.end() ? nullptr : &*at;
}

// A listener on the same port, but of the other address family.
const Listener* other_family(const Case& one) {
  const Listener* found = nullptr;
  for (const auto& l : one.facts.listeners) {
    if (l.local.port != one.conn.server.port || (l.closed && l.closed.t < one.until())) continue;
    if (l.local.family == one.conn.server.family) return nullptr;
    if (l.local.family == 6 && std::all_of(l.local.ip.begin(), l.local.ip.end(), [](auto b) { return b == 0; }) &&
        l.options.find("v6only") == std::string::npos && one.conn.server.family == 4)
      return nullptr;
    found = &l;
  }
  return found;
}

Finding start(const Case& one, std::string_view name) {
  auto result = finding(one, name, one.conn.began.t);
  result.by = "nobody";
  return result;
}

// An unnamed rule goes by its text.
std::string label(const Hits& hits) {
  if (hits.type == "policy") return "the policy of chain " + hits.key.chain;
  return fmt::format("rule '{}'", hits.name.empty() ? hits.text : hits.name);
}

void blame_rule(const Case& one, const Hits& hits, Finding& result) {
  result.culprit = rule_culprit(one.facts, hits);
  result.culprit.detail = fmt::format("{}, {}", hits.hook, way(hits.from));
  result.mechanism.push_back(
      record("nft-trace",
             fmt::format("{} in {} {} {} {} {}", label(hits), hits.key.family, hits.key.table, hits.key.chain,
                         hits.action == "reject" ? "rejected" : "dropped", plural(hits.count, "segment")),
             hits.first, hits.last));
}

std::optional<Finding> find_refused(const Case& one) {
  if (!one.unconnected()) return std::nullopt;
  const int error = error_of(one);
  if (error != ECONNREFUSED && !(error == 0 && refused_on_wire(one))) return std::nullopt;
  if (other_family(one)) return std::nullopt;
  auto result = start(one, "connect/refused");
  result.by = "server";
  const auto* hits = syn_eater(one, true);
  if (hits && hits->action == "reject") {
    result.by = "nobody";
    blame_rule(one, *hits, result);
    result.summary =
        fmt::format("A firewall rule rejected the SYN to {}: the connection was refused", to_string(one.conn.server));
    return result;
  }
  if (refused_on_wire(one))
    result.mechanism.push_back(record("wire",
                                      fmt::format("{} answered the SYN with a reset", to_string(one.conn.server)),
                                      one.conn.stream.server.rst));
  if (const auto* icmp = refusal(one))
    result.mechanism.push_back(record(
        "wire", fmt::format("the SYN was answered with ICMP type {} code {}", icmp->type, icmp->code), icmp->first));
  const auto* queue = one.listener();
  if (queue && (!queue->closed || queue->closed.t > one.until())) {
    if (queue->seen.t < one.conn.began.t)
      result.doubts.push_back(fmt::format("{} was listening", to_string(queue->local)));
  } else if (one.facts.on("sockets")) {
    result.mechanism.push_back(
        record("sockets", fmt::format("nobody listened on {}", to_string(one.conn.server)), one.complaint->at));
  }
  if (one.facts.counter("TcpOutRsts") == 0 && one.facts.complete("counters") && refused_on_wire(one))
    result.doubts.push_back("TcpOutRsts moved by 0: no TCP built the reset");
  if (!one.facts.complete("nft-trace") && !one.facts.on("sockets"))
    result.doubts.push_back("a rule that rejects would look the same (rule trace: off)");
  if (!one.facts.on("actors")) result.doubts.push_back("whether a server had run and ended is not known (actors: off)");
  if (!one.facts.on("sockets"))
    result.doubts.push_back("whether somebody listens on the other address family is not known (sockets: off)");
  result.culprit = {.kind = "peer", .name = to_string(one.conn.server)};
  result.summary = fmt::format("Nobody listens on {}: the connection was refused", to_string(one.conn.server));
  // Whoever listened there before, and is gone.
  for (const int pid : one.holders(Who::server))
    if (const auto* process = one.facts.process(pid);
        process && process->exited && !process->by_lab && process->exited.t < one.until()) {
      const auto how = process->signal ? "was killed by " + signal_title(process->signal)
                                       : fmt::format("had ended with status {}", process->status);
      result.mechanism.push_back(
          record("actors", fmt::format("{}, which listened there, {}", process_text(process), how), process->exited));
      result.culprit = process_culprit(process, how);
      result.summary =
          fmt::format("Nobody listens on {} any more: {} {}", to_string(one.conn.server), process_text(process), how);
    }
  return result;
}

std::optional<Finding> find_wrong_family(const Case& one) {
  if (!one.unconnected() || (error_of(one) != ECONNREFUSED && !refused_on_wire(one))) return std::nullopt;
  const auto* listener = other_family(one);
  if (!listener) return std::nullopt;
  auto result = start(one, "connect/wrong-family");
  result.by = "client";
  result.mechanism.push_back(record("sockets",
                                    fmt::format("the listener is on {}{}", to_string(listener->local),
                                                listener->options.empty() ? "" : " (" + listener->options + ")"),
                                    listener->seen));
  result.culprit = {.kind = "socket", .name = to_string(listener->local)};
  result.summary = fmt::format("The client tried {}, but the listener is on {}: the other address family",
                               to_string(one.conn.server), to_string(listener->local));
  return result;
}

std::optional<Finding> find_unreachable(const Case& one) {
  if (!one.unconnected()) return std::nullopt;
  const int error = error_of(one);
  const bool no_path = error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL || error == ENETDOWN ||
                       error == EINVAL || error == EACCES;
  if (!no_path || one.doer() == Who::client) return std::nullopt;  // a filter's error is no path's
  auto result = start(one, "connect/unreachable");
  const auto* hits = syn_eater(one, true);
  if (hits) blame_rule(one, *hits, result);
  for (const auto& c : one.facts.changes)
    if ((c.change.kind == "route-added" || c.change.kind == "route-deleted" || c.change.kind == "link-down" ||
         c.change.kind == "address-deleted") &&
        c.at.t <= one.until() && !hits) {
      result.mechanism.push_back(record("changes", fmt::format("{} {}", c.change.kind, c.change.object), c.at));
      if (result.culprit.kind.empty())
        result.culprit = {.kind = "route", .name = c.change.object, .detail = c.change.kind};
    }
  if (const auto* icmp = refusal(one))
    result.mechanism.push_back(record(
        "wire", fmt::format("the SYN was answered with ICMP type {} code {}", icmp->type, icmp->code), icmp->first));
  for (const auto* name : {"IpOutNoRoutes", "Ip6OutNoRoutes"})
    if (one.facts.counter(name) > 0)
      result.mechanism.push_back(record("counters", fmt::format("{} moved by {}", name, one.facts.counter(name)),
                                        one.facts.counter_mark(name)));
  // The failed call is a record of its own; that no SYN left is another.
  if (one.wire_complete && !one.conn.stream.client.syns && result.mechanism.empty())
    result.mechanism.push_back(
        record("wire", fmt::format("no SYN to {} was seen", to_string(one.conn.server)), one.complaint->at));
  if ((error == EACCES || error == EINVAL) && result.mechanism.empty()) return std::nullopt;
  if (!one.facts.complete("filters") && (error == EACCES || error == EINVAL))
    result.doubts.push_back("a filter can fail connect with the same error (filters: off)");
  if (result.culprit.kind.empty()) result.culprit = {.kind = "route", .name = to_string(one.conn.server)};
  result.summary =
      fmt::format("There is no way to {}: connect failed with {}", to_string(one.conn.server), error_name(error));
  return result;
}

bool overflowed(const Case& one) {
  const auto* queue = one.listener();
  return one.facts.counter("TcpExtListenOverflows") > 0 &&
         (!queue || queue->most_waiting > queue->limit || one.facts.conns.size() > 1);
}

std::optional<Finding> find_queue_full(const Case& one) {
  if (!one.unconnected() || refused_on_wire(one)) return std::nullopt;
  const Hits* word = nullptr;
  for (const auto& hits : one.conn.hits) {
    if (!hits.rule && hits.reason.find("LISTEN_OVERFLOW") != std::string::npos) word = &hits;
    if (hits.rule && hits.open_first) return std::nullopt;
  }
  if (!word && !overflowed(one)) return std::nullopt;
  if (one.wire_complete && one.conn.wire && one.conn.stream.client.syns == 0) return std::nullopt;
  if (one.conn.stream.server.syns) return std::nullopt;
  auto result = start(one, "connect/queue-full");
  result.by = "server";
  if (word)
    result.mechanism.push_back(record("kernel", fmt::format("{} dropped: {}", plural(word->count, "SYN"), word->reason),
                                      word->first, word->last));
  const auto n = one.facts.counter("TcpExtListenOverflows");
  if (n > 0)
    result.mechanism.push_back(record("counters", fmt::format("TcpExtListenOverflows moved by {}", n),
                                      one.facts.counter_mark("TcpExtListenOverflows")));
  const auto* queue = one.listener();
  if (queue) {
    result.mechanism.push_back(
        record("sockets", fmt::format("the listener's queue held {} of {}", queue->most_waiting, queue->limit),
               queue->last_seen));
    result.culprit = {
        .kind = "limit", .name = "accept queue", .detail = fmt::format("{} of {}", queue->most_waiting, queue->limit)};
  }
  if (!one.conn.stream.client.syns && !word) result.doubts.push_back("no SYN of this connection was seen");
  if (!word && !(queue && queue->most_waiting > queue->limit))
    result.doubts.push_back("the counter does not say whose SYN it was, and the queue was not seen full");
  result.summary = fmt::format("The listen queue of {} was full, so the kernel dropped the SYN; {}",
                               to_string(one.conn.server), outcome_text(one));
  return result;
}

std::optional<Finding> find_no_answer(const Case& one) {
  if (!one.unconnected() || refused_on_wire(one)) return std::nullopt;
  const int error = error_of(one);
  if (error && error != ETIMEDOUT && error != EINPROGRESS && error != EAGAIN) return std::nullopt;
  const auto* hits = syn_eater(one, true);
  if (!hits && overflowed(one)) return std::nullopt;
  const auto* word = syn_eater(one, false);
  auto result = start(one, "connect/no-answer");
  const auto& client = one.conn.stream.client;
  const auto& server = one.conn.stream.server;
  if (hits) {
    blame_rule(one, *hits, result);
  } else if (word) {
    result.mechanism.push_back(record("kernel",
                                      fmt::format("{} dropped: {}", plural(word->count, "segment"), word->reason),
                                      word->first, word->last));
  } else if (client.syns && server.syns) {
    result.mechanism.push_back(record("wire",
                                      fmt::format("{} answered with {}, and still no handshake",
                                                  plural(client.syns, "SYN"), plural(server.syns, "SYN,ACK")),
                                      server.syn));
  } else if (client.syns > 1 && !one.loopback()) {
    result.mechanism.push_back(record("wire", fmt::format("{}, no answer to any", plural(client.syns, "SYN")),
                                      client.syn, client.last_repeat));
  } else {
    result.doubts.push_back("what ate the SYN or its answer was not seen");
  }
  // A reject or a router's ICMP ends a connect too, and only the client's own word tells.
  if (!one.complaint->deed && !one.acts_known(Who::client))
    result.doubts.push_back("how the client's connect ended was not seen");
  result.culprit.detail += result.culprit.detail.empty() ? "no answer" : "";
  result.summary =
      fmt::format("{} to {} got no answer{}; {}",
                  client.syns || one.wire_complete ? plural(std::max(client.syns, 1U), "SYN") : std::string("The SYN"),
                  to_string(one.conn.server),
                  hits ? fmt::format(": {} ate {}", label(*hits), hits->from == Who::client ? "it" : "the answer") : "",
                  outcome_text(one));
  return result;
}

std::string no_refused(const Case& one) {
  if (!one.unconnected() || refused_on_wire(one) || !one.wire_complete || !one.conn.wire) return {};
  return "no reset answered the SYN";
}
std::string no_queue_full(const Case& one) {
  if (!one.unconnected() || !one.facts.complete("counters") || one.facts.counter("TcpExtListenOverflows") > 0)
    return {};
  return "TcpExtListenOverflows moved by 0";
}
std::string no_no_answer(const Case& one) {
  if (!one.unconnected() || !refused_on_wire(one)) return {};
  return "the SYN was answered with a reset";
}

}  // namespace

std::span<const Cause> connect_causes() {
  static const std::vector<Cause> all = {
      {"connect/refused",
       "nobody listens: the SYN was answered with a reset",
       find_refused,
       no_refused,
       {"ss -ltn on the server: is anything on that address and port?",
        "Did the server start, and does it bind the address that the client uses (127.0.0.1 against 0.0.0.0)?"}},
      {"connect/no-answer",
       "the SYN or its answer was lost",
       find_no_answer,
       no_no_answer,
       {"tcpdump on both ends: does the SYN arrive, does the SYN,ACK leave?",
        "nft list ruleset: counters of drop rules; security groups and routes of the way back"}},
      {"connect/wrong-family",
       "the listener is on the other address family",
       find_wrong_family,
       nullptr,
       {"ss -ltn: [::1]:PORT and 127.0.0.1:PORT are two listeners",
        "Let the server listen on both, or name the address instead of 'localhost'"}},
      {"connect/unreachable",
       "there is no route to the server",
       find_unreachable,
       nullptr,
       {"ip route get ADDRESS; ip rule; is the interface up and does it have an address of that family?"}},
      {"connect/queue-full",
       "the listen queue was full, so the SYN was dropped",
       find_queue_full,
       no_queue_full,
       {"ss -ltn: Recv-Q above Send-Q on the listener; nstat -az TcpExtListenOverflows TcpExtListenDrops",
        "Raise the backlog of listen() and net.core.somaxconn, and accept faster"}},
      {"connect/never-tried",
       "the client never called connect",
       nullptr,
       nullptr,
       {"Does the client get that far: its output and exit status, name resolution, configuration",
        "strace -f -e trace=network COMMAND"}},
  };
  return all;
}

}  // namespace lab::verdict
