// How it is told. Takes plain data; knows evidence and verdict, nothing else.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "evidence/event.hpp"
#include "verdict/verdict.hpp"

namespace lab::report {

enum class Result { pass, fail, inconclusive, fault_not_fired, skipped, timeout, error, invalid };
std::string_view name_of(Result result);
int exit_status(Result result);  // 0, 1, 3, 5, 77, 124, 125
int worst(int a, int b);         // 125, 2, 124, 1, 5, 3, 77, 0

struct StepLine {
  std::string step, outcome;
  std::int64_t start_ns = 0, end_ns = 0;  // relative to the run's start; 0: never
};
struct ActorLine {
  std::string role, name;
  std::uint32_t instance = 0;
  std::vector<StepLine> steps;
  std::optional<int> exit;  // exit status
  std::string signal;       // or the signal's name
  bool stopped = false;     // by the lab, at the end
  std::string output;       // of a program, marked lines "out| …" and "err| …"
};
struct ExpectationLine {
  std::string key, expected, actual;
  bool held = false;
};
struct RuleLine {
  std::string name, text, place;
  std::uint64_t packets = 0, bytes = 0;
};
struct FaultLine {
  std::string name, kind;  // kind: rule, limit, seccomp, operator, cgroup
  bool fired = false;
  std::uint64_t count = 0;
  bool unobserved = false;
};
struct Timing {  // ms
  double setup = 0, run = 0, teardown = 0, total = 0;
};

struct Distribution {  // over --repeat
  struct Line {
    std::string what;
    std::uint64_t count = 0;
    double share = 0, low = 0, high = 0;  // 95 % interval (Wilson)
  };
  std::uint64_t runs = 0;
  std::vector<Line> results, causes, outcomes;  // outcomes: "client.recv = ECONNRESET"
};

struct Report {
  std::string scenario, summary, path;
  Result result = Result::pass;
  std::string reason;  // of a skip, an error, a timeout
  bool bare = false;   // nothing was expected (lab diagnose, lab explain): the first line is the verdict alone
  verdict::Judgement judgement;
  std::vector<ActorLine> actors;
  std::vector<ExpectationLine> expectations;
  std::vector<RuleLine> rules;
  std::map<std::string, std::int64_t> counters;
  std::vector<FaultLine> faults;
  std::string control;  // what --control found, "" when not asked
  std::vector<std::string> notes;
  Timing timing;
  evidence::Timeline timeline;  // events; provenance has the collectors
  // CLOCK_MONOTONIC of the run's zero, which the steps' times count from; 0: the provenance's start.
  std::int64_t zero_ns = 0;
  std::optional<Distribution> distribution;
};

struct TextOptions {
  bool colour = false;
  bool unicode = false;  // the terminal's locale is UTF-8: lines and arrows beyond ASCII
  int width = 80;
  int verbosity = 0;  // -1 quiet, 0, 1 (-v)
};

void write_text(std::ostream& out, const Report& report, const TextOptions& options);
// The connection that a ladder draws: the first with the run's cause, else the first. Nothing where there was none.
std::optional<verdict::Connection> pick(const Report& report);
// The report's first line alone: result, scenario and the verdict in one sentence.
std::string headline(const Report& report, const TextOptions& options);

std::string to_json(const Report& report, bool pretty);                  // the contract's object
void write_json(std::ostream& out, const std::vector<Report>& reports);  // an object for one, an array for several
void write_junit(std::ostream& out, const std::vector<Report>& reports);
void write_tap(std::ostream& out, const std::vector<Report>& reports);
void write_pcapng(std::ostream& out, const evidence::Timeline& timeline);

// What JUnit and TAP need of a report: a long batch keeps these and lets the timelines go.
struct CaseLine {
  std::string scenario, path, summary;
  Result result = Result::pass;
  std::string headline, detail;  // detail: what a reader of a failure needs, as plain text
  std::string cause, status;
  double seconds = 0;
  std::int64_t started_unix_s = 0;  // CLOCK_REALTIME
};
CaseLine case_of(const Report& report);
void write_junit(std::ostream& out, const std::vector<CaseLine>& cases);
void write_tap(std::ostream& out, const std::vector<CaseLine>& cases);

// Counts results, causes and outcomes over many runs; memory grows with the number of different outcomes only.
class Tally {
 public:
  void add(const Report& report);
  std::uint64_t runs() const { return runs_; }
  Distribution distribution() const;

 private:
  using Counts = std::map<std::string, std::uint64_t>;
  void count_outcome(const std::string& key, const std::string& outcome);
  std::uint64_t runs_ = 0;
  Counts results_, causes_;
  std::map<std::string, Counts> outcomes_;  // "client.recv" to outcome to how often
};

// 95 % Wilson score interval of `count` in `runs`.
std::pair<double, double> interval95(std::uint64_t count, std::uint64_t runs);

}  // namespace lab::report
