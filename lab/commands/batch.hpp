// Many runs made into one report for each scenario: repeats counted, controls compared.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "report/report.hpp"
#include "scenario/types.hpp"

namespace lab::commands {

// What is run, in which order: each scenario, and behind it its control where one was asked for and can be had.
class Series {
 public:
  // `repeat`: runs of each scenario and of each control.
  Series(std::vector<scenario::Scenario> scenarios, std::uint64_t repeat, bool controls);
  const std::vector<scenario::Scenario>& flights() const { return flights_; }

  // A flight has landed (`flight`: index in flights()). False once a scenario's own run was no pass.
  bool take(std::size_t flight, report::Report&& report);
  // Hands on each scenario whose runs are all in, in order; with `unfinished`, also what has run in part.
  using Tell = std::function<void(const report::Report&)>;
  void hand_on(bool unfinished, const Tell& tell);

 private:
  struct Kept {
    report::Tally tally;
    std::uint64_t runs = 0, controls = 0;
    std::optional<report::Report> report;  // the worst, else the last: a long series keeps one timeline
    bool has_control = false, told = false;
    std::string control;  // what an unclean control showed, "" for none
  };
  struct Flight {
    std::size_t scenario;
    bool control;
  };
  bool complete(const Kept& kept) const;
  void keep(Kept& kept, report::Report&& report);
  void finish(Kept& kept);

  std::uint64_t repeat_;
  bool controls_;
  std::vector<scenario::Scenario> flights_;
  std::vector<Flight> what_;
  std::vector<Kept> kept_;
};

}  // namespace lab::commands
