// What a failure has to do with the end of a connection: who met it, and what was done between the two.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "verdict/case.hpp"

namespace lab::verdict {

// Whoever gives up over a failure does so at once: a traceback may be printed on the way. In ns.
inline constexpr std::int64_t kGivesUp = 50'000'000;
// On a machine with ten times as much to do as it can, giving up took 300 ms. What is tolerated for longer than this is
// not what ended it. In ns.
inline constexpr std::int64_t kTolerated = 2'000'000'000;
// Who has let an end without an answer for less may be thinking, and that end does not wait yet. In ns.
inline constexpr std::int64_t kThinks = 200'000'000;
// It had waited for longer than that by then, in this call and since it said something last.
inline bool waited_long(const Acts& acts, const Deed& wait, std::int64_t until) {
  return until - std::max(wait.start, acts.last_write.t) >= kThinks;
}

struct Bearing {
  bool late = false;                // it came when all was over
  bool aside = false;               // it was got over: no cause, yet it may be why an end closed
  std::vector<std::string> doubts;  // none: nothing came between
  bool sure() const { return !aside && doubts.empty(); }
};

Bearing bearing(const Case& one, Who who, const Case::Snag& snag);
// Of those that match the first that is sure, else the first that is no more than likely.
struct Weighed {
  Case::Snag snag;
  Bearing bearing;
};
template <class Matches>
std::optional<Weighed> weigh(const Case& one, Who who, Matches matches) {
  std::optional<Weighed> found;
  for (const auto& snag : one.snags(who)) {
    if (!matches(*snag.trouble)) continue;
    auto bears = bearing(one, who, snag);
    if (bears.sure()) return Weighed{snag, std::move(bears)};
    if (!bears.aside && !found) found = Weighed{snag, std::move(bears)};
  }
  return found;
}

Bearing bearing(const Case& one, const FailedConnect& failed);
// The same for a connection onwards of which only the wire tells, given up or refused at that time.
Bearing bearing(const Case& one, std::int64_t refused);

// The last connect onwards that failed its thread while this connection was open.
struct Onwards {
  const Process* process = nullptr;
  const FailedConnect* failed = nullptr;
};
Onwards failed_onwards(const Case& one);

// A failure that does not count as a cause and may still be one: at most likely is what an end did of its own accord.
std::vector<std::string> failures_before(const Case& one, Who who);

}  // namespace lab::verdict
