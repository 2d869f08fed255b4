#include "verdict/ending.hpp"

#include <fmt/format.h>

#include "verdict/names.hpp"

namespace lab::verdict {
namespace {

using How = Closer::How;

// On a machine with ten times as much to do as it can, giving up took 300 ms. What is tolerated for much longer is not
// what ended it.
constexpr std::int64_t kMoment = 2'000'000'000;
// A call's end is told by another clock than a segment's, and behind what it did.
constexpr std::int64_t kClocks = 1'000'000;

}  // namespace

std::size_t index_of(const Case& one) {
  for (std::size_t i = 0; i < one.facts.conns.size(); ++i)
    if (&one.facts.conns[i] == &one.conn) return i;
  return Mark::nowhere;
}

std::optional<std::int64_t> given_up(const Case& one, Who who) {
  if (!one.gone()) return std::nullopt;
  return one.closing.any && one.closing.from == who ? one.closing.at.t : one.until();
}

int ending_thread(const Closer& closer) {
  if (closer.deed) return closer.deed->tid;
  const bool exited = closer.how == How::exited && closer.process && closer.process->last;
  return exited ? closer.process->last->tid : 0;
}

void weigh_time(const Deed& failed, std::int64_t t, std::int64_t until, Bearing& result) {
  const auto passed = until - t;
  if (passed < -kClocks) {
    result.doubts.push_back(fmt::format("{} failed when it had ended", failed.call));
    result.aside = result.late = true;
  }
  if (passed <= kGivesUp) return;
  result.doubts.push_back(fmt::format("{} went by between the failed {} and the end", span_text(passed), failed.call));
  result.aside |= passed > kMoment;
}

}  // namespace lab::verdict
