// When and by whom an end was given up, and whether a failure came shortly before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "verdict/bearing.hpp"

namespace lab::verdict {

// Its place among the facts' connections.
std::size_t index_of(const Case& one);

// When that end gave the connection up, in ns; nothing where it holds it still.
std::optional<std::int64_t> given_up(const Case& one, Who who);

// The thread that ended it: the one that closed, or the last to act in a process that ended. 0 where neither is known.
int ending_thread(const Closer& closer);

// The end was the thread's very next step, or the end of its steps: what time went by it was kept off the CPU.
bool straight(const Deed& failed, const Sequel& then, const Closer& closer);

// Nothing that is known of came to it between those two times: its calls are known, it made no child and no thread, got
// no signal, and none of its connections had been ended by the other end.
bool undisturbed(const Facts& facts, const Process& process, std::int64_t from, std::int64_t until);

// How long a thread waited for a CPU between the end of one call and the beginning of a later one, in ns; 0 where that
// is not told.
std::int64_t queued_between(const Deed& first, const Deed& then);

// Of the time that passed between a failure and the end, in ns: what its thread may have spent on something else. Where
// it was undisturbed, not its waits for a CPU, as far as they are told, nor what its exit took.
std::int64_t to_itself(const Case& one, Who who, const Deed& failed, const Sequel& then, const Closer& closer,
                       std::int64_t passed);

// What the time between a failure at t and the end says against it. `to_itself`: of it, in ns.
void weigh_time(const Deed& failed, std::int64_t t, std::int64_t until, std::int64_t to_itself, Bearing& result);

// What others had done to it by then, or its own patience, says against a failure at t. True where a process that meant
// to ended it by a signal: then the failure is no cause.
bool weigh_others(const Case& one, Who who, const Closer& closer, std::int64_t t, Bearing& result);

}  // namespace lab::verdict
