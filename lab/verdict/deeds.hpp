// What a step's verb or a system call amounts to.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "verdict/facts.hpp"

namespace lab::verdict {

Kind kind_of_call(std::string_view call);
Kind kind_of_verb(std::string_view verb);

// Steps and calls in one form. Nothing for a step that was never begun or is of no interest.
std::optional<Deed> deed_of(const evidence::StepDone& step, Mark mark);
Deed deed_of(const evidence::Call& call, Mark mark);

// A call that blocked this long and came back with EAGAIN ran into SO_RCVTIMEO or SO_SNDTIMEO; a non-blocking one
// returns at once.
inline constexpr std::int64_t kBlocked = 5'000'000;

// Descriptors whose bytes a poll or select waits for: "[3:POLLIN 4:POLLOUT], 2, 1000ms", "4, read=[3]"; or with
// POLLOUT, those that a poll waits for room in.
std::vector<int> awaited(const evidence::Call& call, std::string_view what = "POLLIN");
struct Range {
  int first = 0, last = 0;
};
// The descriptors that a close_range() closed; nothing where it only marks them for the next exec.
std::optional<Range> closed_range(const evidence::Call& call);
// What a write was given to write: "3, 4096". 0 where the call does not say.
std::int64_t given(const evidence::Call& call);

// Errors that say nothing went wrong: try again, in progress, interrupted.
bool harmless(const Deed& deed);
// The peer or the path took the connection away.
bool connection_gone(int error);
// The path refuses or is missing, or nobody answered in time.
bool path_error(int error);
// The program used a descriptor or an address wrongly: its own mistake, not a want of something.
bool misuse(int error);
// A shutdown that leaves its own direction open.
bool reads_only(const Deed& deed);
// A shutdown that goes on reading.
bool writes_only(const Deed& deed);
// A want of resources: descriptors, memory, tasks, file size.
bool shortage(const Deed& deed);

}  // namespace lab::verdict
