// What lab diagnose --save expects: the outcome, as far as another run must have it too.
#include <fmt/format.h>

#include <algorithm>

#include "commands/improvised.hpp"
#include "report/names.hpp"

namespace lab::commands {
namespace {

using verdict::Connection;

constexpr const char* kDeadline =
    "# This run did not end by itself: it was stopped ({}). Run again it is\n"
    "# stopped at its timeout, with exit status 124 whatever is expected here. A client that gives up\n"
    "# by itself makes it one that can pass.\n";
constexpr const char* kRace =
    "# A race: where bytes of the {0} arrive before the {1} closes, its kernel answers with a reset, else with a FIN.\n"
    "# Either is expected; what closed the wire, and how the {0} took it, are left out.\n";
constexpr const char* kUnknown = "# The verdict was unknown: there is no cause to expect.\n";

bool reads(const evidence::Call& call) {
  static constexpr std::string_view all[] = {"read", "readv", "recv", "recvfrom", "recvmsg", "recvmmsg"};
  return call.returned && !call.error && call.result > 0 &&
         std::find(std::begin(all), std::end(all), call.name) != std::end(all);
}

// The end that closes on its own chooses the moment, not what has arrived by then: only bytes that came before it last
// read some are sure to be there the next time.
bool is_race(const evidence::Timeline& timeline, const evidence::Address& closer, const evidence::Address& other) {
  std::int64_t read = 0, sent = 0;
  for (const auto& event : timeline.events) {
    const auto* call = std::get_if<evidence::Call>(&event.what);
    const auto* segment = std::get_if<evidence::Segment>(&event.what);
    if (call && call->local == closer && call->peer == other && reads(*call)) read = event.t_ns;
    if (segment && segment->source == other && segment->target == closer && segment->length > 0) sent = event.t_ns;
  }
  return sent > read;
}

struct Race {
  std::string closer, other;  // roles; "" where there is none
};

Race race_of(const report::Report& report) {
  const auto& cause = report.judgement.run.cause;
  const bool own_end =
      cause == "application/closed" || cause == "application/closed-unread" || cause == "application/exited";
  if (!own_end || report.judgement.connections.size() != 1) return {};
  const auto& one = report.judgement.connections.front();
  const bool server = one.closes.starts_with("server"), client = one.closes.starts_with("client");
  if (!server && !client) return {};
  if (!is_race(report.timeline, server ? one.server : one.client, server ? one.client : one.server)) return {};
  return server ? Race{"server", "client"} : Race{"client", "server"};
}

std::string cause_line(const std::string& cause, bool race) {
  if (cause == "unknown") return kUnknown;
  if (!race || cause == "application/exited") return fmt::format("cause = {}\n", toml_string(cause));
  return "cause = [\"application/closed\", \"application/closed-unread\"]\n";
}

std::string exit_line(const report::ActorLine& actor) {
  const auto end = report::ending_of(actor);
  if (end.empty()) return {};
  return fmt::format("[expect.{}]\nexit = {}\n", report::actor_name(actor),
                     actor.exit && !actor.stopped ? end : toml_string(end));
}

}  // namespace

std::string expectations_of(const report::Report& report) {
  const auto& cause = report.judgement.run.cause;
  const auto race = race_of(report);
  std::string text = "\n[expect]\n";
  if (report.result == report::Result::timeout)
    text = "\n" + fmt::format(fmt::runtime(kDeadline), report.reason) + text.substr(1);
  if (!race.closer.empty()) text += fmt::format(fmt::runtime(kRace), race.other, race.closer);
  text += cause_line(cause, !race.closer.empty());
  for (const auto& actor : report.actors)
    if (report::actor_name(actor) != race.other) text += exit_line(actor);
  // Who closes a connection first that both ends are done with is a race, too.
  const bool told = cause != "none" && cause != "unknown" && race.closer.empty();
  if (report.judgement.connections.size() == 1 && told)
    text += fmt::format("[expect.wire]\ncloses = {}\n", toml_string(report.judgement.connections.front().closes));
  return text;
}

}  // namespace lab::commands
