#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "verdict/arbiter.hpp"
#include "verdict/bearing.hpp"
#include "verdict/ledger.hpp"
#include "verdict/names.hpp"
#include "verdict/verdict.hpp"

namespace lab::verdict {

std::string_view name_of(Status status) {
  switch (status) {
    case Status::confirmed:
      return "confirmed";
    case Status::likely:
      return "likely";
    default:
      return "unknown";
  }
}

namespace {

End end_of(const Conn& conn, Who who) {
  const auto& seen = conn.socket[who] ? conn.socket[who] : conn.gone[who];
  if (!seen) return {};
  const auto& s = seen->state;
  return {.state = s.state,
          .timer = s.timer,
          .error = s.error,
          .unacked = s.unacked,
          .receive_queue = s.receive_queue,
          .send_queue = s.send_queue};
}

Connection connection_of(const Case& one, Decision&& decision) {
  const auto& conn = one.conn;
  Connection c{
      .client = conn.client, .server = conn.asked.known() ? conn.asked : conn.server, .handshake = conn.handshake};
  c.by = decision.by;
  c.closes = closes_text(one.first, one);
  c.client_end = end_of(conn, Who::client);
  c.server_end = end_of(conn, Who::server);
  c.began_ns = conn.began.t;
  c.ended_ns = conn.ended ? conn.ended.t : one.facts.last_ns;
  c.verdict = std::move(decision.verdict);
  return c;
}

bool shares(const std::set<int>& a, const std::set<int>& b) {
  return std::any_of(a.begin(), a.end(), [&](int x) { return b.count(x) > 0; });
}

// The other end of a connection onwards owed it an answer for some time before.
bool was_owed(const Case& far, std::int64_t since, std::int64_t until) {
  const auto& asked = far.conn.stream.client.last_data;
  const auto& answered = far.conn.stream.server.last_data;
  if (!asked || asked.t < since || asked.t + kThinks > until) return false;
  return !answered || answered.t < asked.t || answered.t > until;
}

// What a connection onwards came to, and nothing says that the proxy acted on it.
bool may_bear(const Case& near, const Case& far, const Connection& onwards) {
  const auto since = near.conn.began.t, until = near.until();
  if (was_owed(far, since, until)) return true;
  const bool wrong = far.complaint && onwards.by != "proxy" && onwards.verdict.cause != "none";
  return wrong && onwards.began_ns < since && far.until() >= since && far.until() <= until;
}

// What came of a connection onwards may be why its client was let wait, or was closed: it came before the client's end,
// or the proxy was waiting for it then.
bool came_before(const Case& near, const Case& far, std::string_view cause) {
  if (far.until() <= near.until()) return true;
  return cause == "application/not-answering" && was_owed(far, near.conn.began.t, near.until());
}

// The proxy read on from its client when that had ended: what it did then need not have to do with it.
bool heard_since(const Case& near, const Case& far) {
  const auto& heard = near.conn.acts.server.last_read;
  return heard && heard.t > far.until() && heard.t <= near.until();
}

// What a proxy does to its client it may do because of what became of its connection onwards.
void follow_onwards(const Facts& facts, std::vector<Connection>& connections) {
  for (std::size_t i = 0; i < connections.size(); ++i) {
    auto& near = connections[i];
    const auto& v = near.verdict;
    const bool own_choice = v.cause == "application/closed" || v.cause == "application/closed-unread" ||
                            v.cause == "application/reset" || v.cause == "application/exited" ||
                            v.cause == "application/not-answering";
    if (near.by != "proxy" || !own_choice) continue;
    const Case near_case(facts, facts.conns[i]);
    bool clear = true;  // nothing onwards can have made it close
    for (std::size_t j = 0; j < connections.size(); ++j) {
      const auto& far = connections[j];
      if (i == j) continue;
      const Case far_case(facts, facts.conns[j]);
      if (!shares(near_case.holders(Who::server), far_case.holders(Who::client))) continue;
      const bool own = far.by == "proxy", earlier = far.began_ns < near.began_ns;
      const bool well = far.verdict.cause == "none" || far.verdict.cause == "unknown";
      if (own || earlier || well) {
        clear &= (own || earlier || far.verdict.status == Status::confirmed) && !may_bear(near_case, far_case, far);
        continue;
      }
      if (!far_case.complaint || !came_before(near_case, far_case, v.cause)) continue;
      if (far_case.unconnected()) {
        const auto onwards = failed_onwards(near_case);
        if (onwards.failed && bearing(near_case, *onwards.failed).aside) continue;
        const auto bears = bearing(near_case, far_case.until());
        clear &= bears.sure() || bears.aside;
        if (!bears.sure()) continue;
      }
      near.by = far.by;
      auto inherited = far.verdict;
      inherited.status = std::min(inherited.status, v.status);
      if (heard_since(near_case, far_case)) {
        inherited.status = std::min(inherited.status, Status::likely);
        inherited.because.push_back({"not excluded", "the client was heard again after that", {}});
      }
      inherited.summary = fmt::format("Behind the proxy: {}", far.verdict.summary);
      inherited.because.insert(inherited.because.end(), v.because.begin(), v.because.end());
      near.verdict = std::move(inherited);
      clear = true;
      break;
    }
    if (!clear && near.verdict.status == Status::confirmed) {
      near.verdict.status = Status::likely;
      near.verdict.because.push_back({"not excluded", "what became of its connection onwards is not known", {}});
    }
  }
}

std::string others_text(const std::map<std::string, std::size_t>& tally, const std::string& chosen) {
  std::string text;
  for (const auto& [name, n] : tally)
    if (name != chosen) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n, name);
  return text;
}

std::set<int> clients_of(const Conn& conn) {
  auto all = conn.acts.client.pids;
  all.insert(conn.holders.client.begin(), conn.holders.client.end());
  return all;
}

const Process* failed_client(const Facts& facts, const std::set<int>& pids) {
  for (const int pid : pids)
    if (const auto* process = facts.process(pid);
        process && process->exited && !process->by_lab && !process->signal && process->status)
      return process;
  return nullptr;
}

// A client that failed although nothing befell its connections may have got less than it wanted: where a message ends
// is not TCP's to know.
void doubt_failed_clients(const Facts& facts, std::vector<Connection>& connections) {
  std::set<int> answered_for;
  for (std::size_t i = 0; i < connections.size(); ++i)
    if (connections[i].verdict.cause != "none") answered_for.merge(clients_of(facts.conns[i]));
  for (std::size_t i = 0; i < connections.size(); ++i) {
    auto& v = connections[i].verdict;
    const auto pids = clients_of(facts.conns[i]);
    if (v.cause != "none" || v.status != Status::confirmed || shares(pids, answered_for)) continue;
    const auto* process = failed_client(facts, pids);
    if (!process) continue;
    v.status = Status::likely;
    v.because.push_back({"not excluded",
                         fmt::format("{} ended with status {}: it may have been owed more than it got",
                                     process_text(process), process->status),
                         {process->exited.event}});
  }
}

// Connects that failed and that the same thread tried again, until the same port let it in.
std::vector<bool> tried_again(const Facts& facts) {
  std::map<std::pair<int, int>, std::int64_t> let_in;  // by thread and port: when the last one began
  for (const auto& conn : facts.conns)
    for (const int tid : conn.acts.client.threads)
      if (auto& t = let_in[{tid, conn.server.port}]; conn.handshake) t = std::max(t, conn.began.t);
  std::vector<bool> all;
  for (const auto& conn : facts.conns) {
    const auto& threads = conn.acts.client.threads;
    all.push_back(!conn.handshake && std::any_of(threads.begin(), threads.end(), [&](int tid) {
      return tid && let_in[{tid, conn.server.port}] > conn.began.t;
    }));
  }
  return all;
}

// The most frequent cause of those that did not end well; of equals the earliest. It is shown by its surest case.
Verdict of_run(const Facts& facts, const std::vector<Connection>& connections) {
  std::map<std::string, std::size_t> tally;
  for (const auto& c : connections) ++tally[c.verdict.cause];
  const Connection* best = nullptr;
  const auto made_good = tried_again(facts);
  const auto weight = [&](const Connection& c) {
    const bool none = c.verdict.cause == "none", known = c.verdict.cause != "unknown";
    const bool bad = !none && !made_good[static_cast<std::size_t>(&c - connections.data())];
    return std::tuple(bad, bad && known ? tally[c.verdict.cause] : 0, known, none);
  };
  for (const auto& c : connections)
    if (!best || weight(c) > weight(*best)) best = &c;
  for (const auto& c : connections)
    if (c.verdict.cause == best->verdict.cause && c.verdict.status > best->verdict.status) best = &c;
  auto verdict = best->verdict;
  if (connections.size() > 1) {
    verdict.summary += fmt::format(" ({} of {})", tally[verdict.cause], plural(connections.size(), "connection"));
    if (const auto rest = others_text(tally, verdict.cause); !rest.empty())
      verdict.summary += fmt::format("; others: {}", rest);
  }
  return verdict;
}

}  // namespace

struct Judge::State {
  explicit State(const evidence::Provenance& provenance) : ledger(provenance) {}
  Ledger ledger;
};

Judge::Judge(const evidence::Provenance& provenance) : state_(std::make_unique<State>(provenance)) {}
Judge::~Judge() = default;
void Judge::see(const evidence::Event& event) { state_->ledger.see(event); }

Judgement Judge::judge() {
  state_->ledger.close();
  const auto& facts = state_->ledger.facts();
  Judgement judgement;
  for (const auto& conn : facts.conns) {
    const Case one(facts, conn);
    judgement.connections.push_back(connection_of(one, decide(one)));
  }
  follow_onwards(facts, judgement.connections);
  doubt_failed_clients(facts, judgement.connections);
  if (judgement.connections.empty()) {
    judgement.run = decide_without_connections(facts).verdict;
    return judgement;
  }
  judgement.run = of_run(facts, judgement.connections);
  std::stable_sort(judgement.connections.begin(), judgement.connections.end(),
                   [](const Connection& a, const Connection& b) { return a.began_ns < b.began_ns; });
  return judgement;
}

Judgement judge(const evidence::Timeline& timeline) {
  Judge one(timeline.provenance);
  for (const auto& event : timeline.events) one.see(event);
  return one.judge();
}

}  // namespace lab::verdict
