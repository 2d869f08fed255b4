// The contract's report object, schema 1. Numbers are kept as numbers; text that is no UTF-8 is mended, not refused.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <ostream>

#include "evidence/file.hpp"
#include "report/names.hpp"
#include "report/report.hpp"

namespace lab::report {
namespace {

using Json = nlohmann::ordered_json;
using evidence::to_string;

Json or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

void add(Json& object, const char* key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

Json culprit(const verdict::Culprit& who) {
  if (who.kind.empty()) return nullptr;
  Json j = {{"kind", who.kind}, {"name", who.name}};
  add(j, "family", who.family);
  add(j, "table", who.table);
  add(j, "chain", who.chain);
  add(j, "hook", who.hook);
  if (who.handle != 0) j["handle"] = who.handle;
  add(j, "text", who.text);
  add(j, "place", who.place);
  if (who.pid != 0) j["pid"] = who.pid;
  add(j, "detail", who.detail);
  return j;
}

Json verdict_object(const verdict::Verdict& v) {
  Json because = Json::array(), ruled_out = Json::array();
  for (const auto& b : v.because) because.push_back({{"source", b.source}, {"text", b.text}, {"events", b.events}});
  for (const auto& r : v.ruled_out) ruled_out.push_back({{"cause", r.cause}, {"because", r.because}});
  return {{"cause", v.cause},     {"status", verdict::name_of(v.status)},
          {"summary", v.summary}, {"culprit", culprit(v.culprit)},
          {"because", because},   {"ruled_out", ruled_out},
          {"next", v.next}};
}

Json end(const verdict::End& e) {
  return {{"state", e.state},           {"timer", or_null(e.timer)},
          {"unacked", e.unacked},       {"receive_queue", e.receive_queue},
          {"send_queue", e.send_queue}, {"error", or_null(e.error)}};
}

Json connection(const verdict::Connection& c) {
  Json sockets = Json::object();
  if (!c.client_end.state.empty()) sockets["client"] = end(c.client_end);
  if (!c.server_end.state.empty()) sockets["server"] = end(c.server_end);
  return {{"client", to_string(c.client)},
          {"server", to_string(c.server)},
          {"handshake", c.handshake},
          {"cause", c.verdict.cause},
          {"status", verdict::name_of(c.verdict.status)},
          {"summary", c.verdict.summary},
          {"by", c.by},
          {"closes", c.closes},
          {"sockets", sockets}};
}

Json actor(const ActorLine& a) {
  Json steps = Json::array();
  for (const auto& s : a.steps) {
    steps.push_back({{"step", s.step}, {"outcome", s.outcome}, {"start_ns", s.start_ns}, {"end_ns", s.end_ns}});
  }
  Json j = {{"role", a.role}, {"name", actor_name(a)}, {"instance", a.instance}, {"steps", steps}};
  j["exit"] = a.exit ? Json(*a.exit) : Json(nullptr);
  add(j, "signal", a.signal);
  if (a.stopped) j["stopped"] = true;
  add(j, "output", a.output);
  return j;
}

Json collector(const evidence::Collector& c) {
  Json j = {{"name", c.name}, {"on", c.on}};
  if (c.on) {
    j["events"] = c.events;
    j["lost"] = c.lost;
  }
  add(j, "why", c.why);
  if (c.disturbs) j["disturbs"] = true;
  return j;
}

Json lines(const std::vector<Distribution::Line>& all) {
  Json j = Json::array();
  for (const auto& l : all) {
    j.push_back({{"what", l.what}, {"count", l.count}, {"share", l.share}, {"low", l.low}, {"high", l.high}});
  }
  return j;
}

template <class List, class Make>
Json array(const List& list, Make make) {
  Json j = Json::array();
  for (const auto& item : list) j.push_back(make(item));
  return j;
}

Json expectation(const ExpectationLine& e) {
  return {{"key", e.key}, {"expected", e.expected}, {"actual", e.actual}, {"held", e.held}};
}

Json rule(const RuleLine& r) {
  Json j = {{"name", r.name}, {"packets", r.packets}, {"bytes", r.bytes}};
  add(j, "text", r.text);
  add(j, "place", r.place);
  return j;
}

Json fault(const FaultLine& f) {
  Json j = {{"name", f.name}, {"kind", f.kind}, {"fired", f.fired}, {"count", f.count}};
  if (f.unobserved) j["unobserved"] = true;
  return j;
}

// Everything but the events.
Json head(const Report& r) {
  Json j = {{"schema", 1}, {"scenario", r.scenario}, {"result", name_of(r.result)}};
  add(j, "reason", r.reason);
  add(j, "summary", r.summary);
  add(j, "path", r.path);
  j["verdict"] = verdict_object(r.judgement.run);
  j["connections"] = array(r.judgement.connections, connection);
  j["actors"] = array(r.actors, actor);
  j["expectations"] = array(r.expectations, expectation);
  j["rules"] = array(r.rules, rule);
  j["counters"] = Json(r.counters);
  j["faults"] = array(r.faults, fault);
  j["collectors"] = array(r.timeline.provenance.collectors, collector);
  j["timing_ms"] = {
      {"setup", r.timing.setup}, {"run", r.timing.run}, {"teardown", r.timing.teardown}, {"total", r.timing.total}};
  add(j, "control", r.control);
  if (!r.notes.empty()) j["notes"] = r.notes;
  if (r.distribution) {
    j["runs"] = r.distribution->runs;
    j["distribution"] = {{"results", lines(r.distribution->results)},
                         {"causes", lines(r.distribution->causes)},
                         {"outcomes", lines(r.distribution->outcomes)}};
  }
  return j;
}

// Every time in a report counts from the run's zero; 0 stays 0: it never was.
evidence::Event since_zero(evidence::Event event, std::int64_t zero) {
  const auto shift = [zero](std::int64_t& t) {
    if (t != 0) t -= zero;
  };
  event.t_ns -= zero;
  if (auto* step = std::get_if<evidence::StepDone>(&event.what)) {
    shift(step->start_ns);
    shift(step->end_ns);
    shift(step->got_ns);
  } else if (auto* call = std::get_if<evidence::Call>(&event.what)) {
    shift(call->start_ns);
  }
  return event;
}

}  // namespace

// Events are the bulk: each is spliced in as the evidence file writes it, one to a line, never held as a tree.
std::string to_json(const Report& report, bool pretty) {
  std::string text = head(report).dump(pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace);
  text.resize(text.find_last_of('}'));
  while (text.back() == '\n' || text.back() == ' ') text.pop_back();
  text += pretty ? ",\n  \"events\": [" : ",\"events\":[";
  const auto& events = report.timeline.events;
  const auto zero = report.zero_ns ? report.zero_ns : report.timeline.provenance.started_ns;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i > 0) text += ',';
    if (pretty) text += "\n    ";
    text += evidence::to_json_line(since_zero(events[i], zero));
  }
  if (pretty && !events.empty()) text += "\n  ";
  text += pretty ? "]\n}" : "]}";
  return text;
}

void write_json(std::ostream& out, const std::vector<Report>& reports) {
  if (reports.size() == 1) {
    out << to_json(reports.front(), true) << '\n';
    return;
  }
  out << '[';
  for (std::size_t i = 0; i < reports.size(); ++i) out << (i ? ",\n" : "\n") << to_json(reports[i], true);
  out << "\n]\n";
}

}  // namespace lab::report
