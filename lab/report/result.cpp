#include <algorithm>
#include <array>

#include "report/report.hpp"

namespace lab::report {
namespace {

struct Row {
  Result result;
  std::string_view name;
  int status;
};
constexpr std::array<Row, 8> kResults = {{{Result::pass, "pass", 0},
                                          {Result::fail, "fail", 1},
                                          {Result::inconclusive, "inconclusive", 3},
                                          {Result::fault_not_fired, "fault-not-fired", 5},
                                          {Result::skipped, "skipped", 77},
                                          {Result::timeout, "timeout", 124},
                                          {Result::error, "error", 125},
                                          {Result::invalid, "error", 2}}};

const Row& row(Result result) { return kResults[static_cast<std::size_t>(result)]; }

// From bad to good; a status that is none of these (a shell's own) counts as worse than any.
constexpr std::array kWorstFirst = {125, 2, 124, 1, 5, 3, 77, 0};

std::ptrdiff_t rank(int status) {
  const auto* place = std::find(kWorstFirst.begin(), kWorstFirst.end(), status);
  return place == kWorstFirst.end() ? -1 : place - kWorstFirst.begin();
}

}  // namespace

std::string_view name_of(Result result) { return row(result).name; }
int exit_status(Result result) { return row(result).status; }
int worst(int a, int b) { return rank(a) <= rank(b) ? a : b; }

}  // namespace lab::report
