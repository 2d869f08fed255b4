// The SYN was answered, and not with a handshake.
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "verdict/connect.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::connect {
namespace {

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

std::string ending_of(const Process& process) {
  return process.signal ? "was killed by " + signal_title(process.signal)
                        : fmt::format("had ended with status {}", process.status);
}

// A program that was started and had failed before it came to listen or to connect.
const Process* gone_early(const Case& one) {
  const auto clients = one.holders(Who::client);
  for (const auto& [pid, process] : one.facts.processes) {
    const bool ended =
        process.exited && !process.by_lab && process.exited.t < one.until() && (process.signal || process.status);
    const bool idle = !process.connects && !process.accepts && process.serves.empty();
    if (process.started && ended && idle && !clients.count(pid)) return &process;
  }
  return nullptr;
}

// The only one who listens here at all, and not where the client went. A proxy's own listener is another matter.
const Listener* elsewhere(const Case& one) {
  const auto clients = one.holders(Who::client);
  const Listener* only = nullptr;
  if (const auto* late = one.listener(); late && !late->closed) return nullptr;
  for (const auto& l : one.facts.listeners) {
    if (l.closed && l.closed.t < one.until()) continue;
    const bool own = std::any_of(l.pids.begin(), l.pids.end(), [&](int pid) { return clients.count(pid) > 0; });
    if (only || own) return nullptr;
    only = &l;
  }
  return only;
}

// Why nobody listens, where something says so.
void blame_absence(const Case& one, Finding& result) {
  const auto where = to_string(one.conn.server);
  // Whoever listened there before, and is gone.
  for (const int pid : one.holders(Who::server))
    if (const auto* process = one.facts.process(pid);
        process && process->exited && !process->by_lab && process->exited.t < one.until()) {
      const auto how = ending_of(*process);
      result.mechanism.push_back(
          record("actors", fmt::format("{}, which listened there, {}", process_text(process), how), process->exited));
      result.culprit = process_culprit(process, how);
      result.summary = fmt::format("Nobody listens on {} any more: {} {}", where, process_text(process), how);
    }
  if (result.culprit.kind != "peer") return;
  if (const auto* process = gone_early(one)) {
    const auto how = ending_of(*process);
    result.mechanism.push_back(
        record("actors", fmt::format("{} {}, and had not listened", process_text(process), how), process->exited));
    result.culprit = process_culprit(process, how);
    result.summary += fmt::format("; {} {} without having listened", process_text(process), how);
  } else if (const auto* listener = elsewhere(one)) {
    result.mechanism.push_back(
        record("sockets", fmt::format("the only listener is on {}", to_string(listener->local)), listener->seen));
    result.summary += fmt::format("; the only listener is on {}", to_string(listener->local));
  }
}

}  // namespace

const IcmpFacts* refusal(const Case& one) {
  const auto at = std::find_if(one.conn.icmp.begin(), one.conn.icmp.end(),
                               [](const IcmpFacts& i) { return i.quoted == Who::client; });
  return at == one.conn.icmp.end() ? nullptr : &*at;
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
  blame_absence(one, result);
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
  const auto* icmp = refusal(one);
  // A connect that did not wait, whose outcome nobody asked for: the ICMP error ended it (tcp_v4_err, tcp_v6_err).
  const bool untold = icmp && (error == 0 || error == EINPROGRESS) && !refused_on_wire(one) &&
                      (one.conn.server.family == 6 ? icmp->type == 1 && icmp->code != 4
                                                   : icmp->type == 3 && (icmp->code < 2 || icmp->code > 4));
  const bool no_path = untold || error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL ||
                       error == ENETDOWN || error == EINVAL || error == EACCES;
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
  if (icmp)
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
  if (error == EADDRNOTAVAIL && result.culprit.detail.empty())
    result.doubts.push_back("EADDRNOTAVAIL is also what is told when every local port is taken");
  if (untold) result.doubts.push_back("what the client's connect was told was not seen");
  result.summary = fmt::format("There is no way to {}: {}", to_string(one.conn.server), outcome_text(one));
  if (hits)
    result.summary =
        fmt::format("{} rejected the SYN to {}: {}", rule_label(*hits), to_string(one.conn.server), outcome_text(one));
  return result;
}

std::string no_refused(const Case& one) {
  if (!one.unconnected() || refused_on_wire(one) || !one.wire_complete || !one.conn.wire) return {};
  return "no reset answered the SYN";
}

}  // namespace lab::verdict::connect
