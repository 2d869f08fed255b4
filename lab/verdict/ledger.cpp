#include "verdict/ledger.hpp"

#include <algorithm>

namespace lab::verdict {

bool Facts::on(std::string_view source) const {
  const auto at = sources.find(source);
  return at != sources.end() && at->second.on;
}

bool Facts::complete(std::string_view source) const {
  const auto at = sources.find(source);
  return at != sources.end() && at->second.on && at->second.lost == 0;
}

std::int64_t Facts::counter(std::string_view name) const {
  std::int64_t sum = 0;
  for (const auto& [netns, all] : counters)
    if (const auto at = all.find(name); at != all.end()) sum += at->second.change;
  return sum;
}

Mark Facts::counter_mark(std::string_view name) const {
  for (const auto& [netns, all] : counters)
    if (const auto at = all.find(name); at != all.end() && at->second.change) return at->second.at;
  return {};
}

Both<Progress> progress_of(const Conn& conn) {
  const auto one = [&](Who who) -> Progress {
    const auto& stream = conn.stream[who];
    return {.sent = stream.bytes,
            .delivered = stream.delivered,
            .written = conn.acts[who].written,
            .read = conn.acts[other(who)].read,
            .open = stream.open(),
            .accepted = bool(conn.acts.server.accepted),
            .writing = conn.acts[who].pending && conn.acts[who].pending->kind == Kind::write,
            .repeats = stream.repeats,
            .open_since = stream.open_since,
            .acked_at = stream.acked_at,
            .zero_window = stream.zero_window,
            .window = stream.window};
  };
  return {one(Who::client), one(Who::server)};
}

bool written_by(const Conn& conn, const Hits& hits, const Both<Progress>& then) {
  return hits.open_seq - (conn.stream[hits.from].isn + 1) < then[hits.from].written;
}

bool is_owed(const Acts& acts, Who who, const Deed& deed) {
  if (deed.exact) return true;
  if (who == Who::server) return false;
  return !acts.last_read || (acts.last_write && acts.last_write.t > acts.last_read.t);
}

const Process* Facts::process(int pid) const {
  const auto at = processes.find(pid);
  return at == processes.end() ? nullptr : &at->second;
}

Ledger::Ledger(const evidence::Provenance& provenance) {
  for (const auto& collector : provenance.collectors) {
    auto& source = facts_.sources[collector.name];
    source.on |= collector.on;
    source.lost += collector.lost;
    source.events += collector.events;
    source.disturbs |= collector.disturbs;
    if (source.why.empty()) source.why = collector.why;
  }
  // The rule trace's collector also reads the rules' text and counters.
  if (const auto at = facts_.sources.find("nft-trace"); at != facts_.sources.end())
    facts_.sources.try_emplace("rules", at->second);
}

void Ledger::see(const evidence::Event& event) {
  const Mark mark{.t = event.t_ns, .event = seen_++, .read_time = event.read_time};
  if (facts_.first_ns == 0) facts_.first_ns = event.t_ns;
  facts_.last_ns = std::max(facts_.last_ns, event.t_ns);
  // What the lab records of its own processes has no collector that could be missing from the list.
  if (std::holds_alternative<evidence::ProcessStart>(event.what))
    for (const auto* own : {"actors", "filters", "limits"}) facts_.sources.try_emplace(own, Source{.on = true});
  std::visit([&](const auto& what) { take(what, mark); }, event.what);
}

Ledger::Found Ledger::find(const Address& source, const Address& target) {
  const auto at = by_tuple_.find({source, target});
  if (at == by_tuple_.end()) return {};
  return {&facts_.conns[at->second.first], at->second.second};
}

void Ledger::alias(const Address& source, const Address& target, std::size_t conn, Who from) {
  by_tuple_[{source, target}] = {conn, from};
  by_tuple_[{target, source}] = {conn, other(from)};
  catch_up({source, target});
  catch_up({target, source});
}

void Ledger::catch_up(const Tuple& tuple) {
  const auto at = early_.find(tuple);
  if (at == early_.end()) return;
  const auto told = std::move(at->second);
  early_.erase(at);
  for (const auto& [what, mark] : told) std::visit([&, m = mark](const auto& one) { take(one, m); }, what);
}

Ledger::Found Ledger::make(const Address& client, const Address& server, Mark mark) {
  auto& conn = facts_.conns.emplace_back();
  conn.client = client;
  conn.server = server;
  conn.began = mark;
  if (client.known() && server.known()) alias(client, server, facts_.conns.size() - 1, Who::client);
  return {&conn, Who::client};
}

std::size_t Ledger::index_of(const Conn& conn) const {
  // A deque keeps its elements in place; connections that are still talked about are near its end.
  for (std::size_t i = facts_.conns.size(); i-- > 0;)
    if (&facts_.conns[i] == &conn) return i;
  return Mark::nowhere;
}

bool Ledger::listens(const Address& local) const {
  return std::any_of(facts_.listeners.begin(), facts_.listeners.end(),
                     [&](const Listener& l) { return l.local.port == local.port; });
}

Process& Ledger::process(int pid) {
  auto& one = facts_.processes[pid];
  one.pid = pid;
  return one;
}

}  // namespace lab::verdict
