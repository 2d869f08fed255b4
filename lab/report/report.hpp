// How it is told. Takes plain data; knows evidence and verdict, nothing else.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "evidence/event.hpp"
#include "verdict/verdict.hpp"

namespace lab::report {

enum class Result { pass, fail, inconclusive, fault_not_fired, skipped, timeout, error };
std::string_view name_of(Result result);
int exit_status(Result result);         // 0, 1, 3, 5, 77, 124, 125
int worst(int a, int b);                // 125, 2, 124, 1, 5, 3, 77, 0

struct StepLine { std::string step, outcome; std::int64_t start_ns = 0, end_ns = 0; };   // relative to the run's start; 0: never
struct ActorLine {
  std::string role, name;
  std::uint32_t instance = 0;
  std::vector<StepLine> steps;
  std::optional<int> exit;              // exit status
  std::string signal;                   // or the signal's name
  bool stopped = false;                 // by the lab, at the end
  std::string output;                   // of a program, marked lines "out| …" and "err| …"
};
struct ExpectationLine { std::string key, expected, actual; bool held = false; };
struct RuleLine { std::string name, text, place; std::uint64_t packets = 0, bytes = 0; };
struct FaultLine { std::string name, kind; bool fired = false; std::uint64_t count = 0; bool unobserved = false; };   // kind: rule, limit, seccomp, operator, cgroup
struct Timing { double setup = 0, run = 0, teardown = 0, total = 0; };   // ms

struct Distribution {                   // over --repeat
  struct Line { std::string what; std::uint64_t count = 0; double share = 0, low = 0, high = 0; };   // 95 % interval (Wilson)
  std::uint64_t runs = 0;
  std::vector<Line> results, causes, outcomes;   // outcomes: "client.recv = ECONNRESET"
};

struct Report {
  std::string scenario, summary, path;
  Result result = Result::pass;
  std::string reason;                   // of a skip, an error, a timeout
  verdict::Judgement judgement;
  std::vector<ActorLine> actors;
  std::vector<ExpectationLine> expectations;
  std::vector<RuleLine> rules;
  std::map<std::string, std::int64_t> counters;
  std::vector<FaultLine> faults;
  std::string control;                  // what --control found, "" when not asked
  std::vector<std::string> notes;
  Timing timing;
  evidence::Timeline timeline;          // events; provenance has the collectors
  std::optional<Distribution> distribution;
};

struct TextOptions {
  bool colour = false;
  int width = 80;
  int verbosity = 0;                    // -1 quiet, 0, 1 (-v)
};

void write_text(std::ostream& out, const Report& report, const TextOptions& options);
std::string to_json(const Report& report, bool pretty);        // the contract's object
void write_json(std::ostream& out, const std::vector<Report>& reports);   // an object for one, an array for several
void write_junit(std::ostream& out, const std::vector<Report>& reports);
void write_tap(std::ostream& out, const std::vector<Report>& reports);
void write_pcapng(std::ostream& out, const evidence::Timeline& timeline);

// 95 % Wilson score interval of `count` in `runs`.
std::pair<double, double> interval95(std::uint64_t count, std::uint64_t runs);

}  // namespace lab::report
