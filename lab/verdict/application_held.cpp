// It is finished, and no FIN comes: a descriptor elsewhere, or a call that holds the file until it returns (man close,
// "Multithreaded processes and close()"), keeps the connection open.
#include <fmt/format.h>

#include <algorithm>

#include "verdict/application.hpp"
#include "verdict/names.hpp"

namespace lab::verdict::application {
namespace {

void tell_closed(const Case& one, Who who, const Deed& closed, const SocketFacts& alive,
                 const std::optional<Deed>& inside, Finding& result) {
  const bool in_call = inside && inside->start < closed.start;
  result.mechanism = {deed_record(who, closed),
                      record("sockets",
                             fmt::format("the {}'s socket is still {} and attached to a file {} after its close",
                                         name_of(who), alive.state.state, span_text(alive.at.t - closed.end)),
                             alive.at)};
  result.culprit = {.kind = "call",
                    .name = closed.call,
                    .pid = closed.pid,
                    .detail = in_call ? inside->call + " holds it" : "another descriptor holds it"};
  const auto holder = in_call ? fmt::format("its {}, begun before that, still", inside->call)
                              : "another one (in a parent, a child, an inherited program)";
  result.summary = fmt::format("The {} closed its descriptor, and {} holds the connection open; {}", name_of(who),
                               holder, outcome_text(one));
}

void tell_deserted(const Case& one, Who who, const Process& ended, Finding& result) {
  const auto& alive = *one.conn.alive[who];
  std::string holders;
  for (const int pid : alive.state.pids)
    if (const auto* process = one.facts.process(pid); process && process != &ended)
      holders += (holders.empty() ? "" : ", ") + process_text(process);
  if (holders.empty()) holders = "another process";
  result.mechanism = {exit_record(ended), record("sockets",
                                                 fmt::format("the {}'s socket is still {}, and {} has it", name_of(who),
                                                             alive.state.state, holders),
                                                 alive.at)};
  result.culprit = process_culprit(&ended, "another process holds the connection");
  result.summary = fmt::format("The {}'s {} used the connection and ended, and {} still holds it open; {}",
                               name_of(who), process_text(&ended), holders, outcome_text(one));
}

// What a proxy awaits of its backend it does not await of its client.
bool is_elsewhere(const Case& one, const Deed& deed) {
  return std::any_of(one.facts.conns.begin(), one.facts.conns.end(), [&](const Conn& conn) {
    const auto is_in = [&](Who who) {
      const auto& pending = conn.acts[who].pending;
      return pending && pending->tid == deed.tid && pending->start == deed.start;
    };
    return &conn != &one.conn && (is_in(Who::client) || is_in(Who::server));
  });
}

}  // namespace

bool inside_io(const Case& one, Who who) {
  for (const int pid : one.holders(who))
    if (const auto* process = one.facts.process(pid))
      for (const auto& [tid, deed] : process->inside)
        if (deed.kind == Kind::read && !is_elsewhere(one, deed)) return true;
  return false;
}

void tell_held_open(const Case& one, Who doer, const std::optional<Deed>& inside, Finding& result) {
  if (const auto* ended = one.deserted_by(doer, one.until())) {
    result.by = name_of(doer);
    return tell_deserted(one, doer, *ended, result);
  }
  for (const auto& deed : one.conn.acts[doer].closers)
    if (const auto* alive = one.held_open(doer, deed); alive && deed.end <= one.until()) {
      result.by = name_of(doer);
      tell_closed(one, doer, deed, *alive, inside, result);
    }
}

}  // namespace lab::verdict::application
