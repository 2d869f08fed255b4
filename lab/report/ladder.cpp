#include "report/ladder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ostream>

#include "report/names.hpp"
#include "report/rows.hpp"
#include "report/sections.hpp"
#include "verdict/unread.hpp"

namespace lab::report {
namespace {

constexpr std::size_t kMostRows = 48, kMostRowsVerbose = 400;

std::string last_state(const verdict::End& end) {
  if (end.state.empty()) return {};
  std::string text = end.state;
  if (!end.timer.empty()) text += fmt::format(", {} timer", end.timer);
  if (end.unacked) text += fmt::format(", {} un-ACKed", end.unacked);
  if (const auto unread = verdict::unread_in(end.state, end.receive_queue)) text += fmt::format(", {} unread", unread);
  if (!end.error.empty()) text += ", " + end.error;
  return text;
}

// Where no verdict speaks of a connection, its first SYN does.
std::optional<verdict::Connection> first_seen(const evidence::Timeline& timeline) {
  for (const auto& event : timeline.events) {
    const auto* s = std::get_if<evidence::Segment>(&event.what);
    if (!s || s->flags.find('S') == s->flags.npos || s->flags.find('A') != s->flags.npos) continue;
    verdict::Connection found;
    found.client = s->source;
    found.server = s->target;
    return found;
  }
  return std::nullopt;
}

// The operator's steps are told, and are no evidence: they come from the report, not from the timeline.
std::vector<Row> operator_rows(const Report& report) {
  std::vector<Row> rows;
  for (const auto& actor : report.actors) {
    if (actor.role != "operator") continue;
    for (const auto& step : actor.steps) {
      if (step.start_ns == 0 || step.step.starts_with("sleep") || step.step.starts_with("wait")) continue;
      rows.push_back({.t_ns = report.zero_ns + step.start_ns,
                      .kind = Row::Kind::note,
                      .text = fmt::format("{}: {}: {}", actor_name(actor), step.step, step.outcome)});
    }
  }
  return rows;
}

bool begins(const Row& row) { return row.text.ends_with(" ..."); }

// A server waits in accept long before anybody comes: that tells nothing.
void drop_the_wait_before(std::vector<Row>& rows) {
  const auto first = std::find_if(rows.begin(), rows.end(), [](const Row& r) { return r.arrow(); });
  if (first == rows.end()) return;
  const auto t = first->t_ns;
  std::erase_if(rows, [t](const Row& r) { return r.kind == Row::Kind::at_server && r.t_ns < t && begins(r); });
}

}  // namespace

std::optional<verdict::Connection> pick(const Report& report) {
  const auto& all = report.judgement.connections;
  if (all.empty()) return first_seen(report.timeline);
  const auto at = std::find_if(all.begin(), all.end(), [&](const verdict::Connection& c) {
    return c.verdict.cause == report.judgement.run.cause;
  });
  return at == all.end() ? all.front() : *at;
}

Ladder climb(const evidence::Timeline& timeline, const verdict::Connection& connection, bool only_one,
             std::vector<Row> notes) {
  const FlowFilter flow(timeline, connection, only_one);
  Ladder ladder{.client = evidence::to_string(connection.client),
                .server = evidence::to_string(connection.server),
                .client_end = last_state(connection.client_end),
                .server_end = last_state(connection.server_end),
                .rows = packet_rows(timeline, connection, flow)};
  auto acts = act_rows(timeline, flow);
  // Acts before packets of the same moment: a call comes before what it sends.
  ladder.rows.insert(ladder.rows.begin(), std::make_move_iterator(acts.begin()), std::make_move_iterator(acts.end()));
  const auto in_time = [](const Row& a, const Row& b) { return a.t_ns < b.t_ns; };
  std::stable_sort(ladder.rows.begin(), ladder.rows.end(), in_time);
  drop_the_wait_before(ladder.rows);
  if (ladder.rows.empty()) return ladder;
  auto changes = change_rows(timeline, ladder.rows.front().t_ns, ladder.rows.back().t_ns);
  for (auto* more : {&notes, &changes}) {
    ladder.rows.insert(ladder.rows.end(), std::make_move_iterator(more->begin()), std::make_move_iterator(more->end()));
  }
  std::stable_sort(ladder.rows.begin(), ladder.rows.end(), in_time);
  return ladder;
}

void write_ladder(std::ostream& out, const Report& report, const TextOptions& options) {
  const auto connection = pick(report);
  if (!connection) return;
  auto ladder = climb(report.timeline, *connection, report.judgement.connections.size() < 2, operator_rows(report));
  if (ladder.rows.empty()) return;
  fold(ladder, options.verbosity > 0 ? kMostRowsVerbose : kMostRows);
  out << '\n' << draw(ladder, options);
}

}  // namespace lab::report
