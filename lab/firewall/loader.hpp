// A program into the kernel, whole or not at all.
#pragma once

#include <vector>

#include "firewall/batch.hpp"
#include "firewall/statement.hpp"
#include "scenario/types.hpp"

namespace lab::firewall {

// "FILE:LINE: ", "" where a place is none.
std::string prefix(const scenario::Place& place);

// Commits the batch; throws LabError with the kernel's words for each of the `rules` that it refused, Unavailable where
// the kernel lacks an expression.
void commit(Batch&& batch, const std::vector<scenario::Rule>& rules);

// Loads what was compiled from `rules`. `fresh`: the table isn't there yet.
//
// One transaction is one message of the socket, and above net.core.wmem_max (some 400 rules) only root on the outside
// gets the buffer for a larger one. More rules go in several, behind a rule that accepts everything, which the last one
// takes away: no packet meets a part of them. (A table that has an owner can't be set dormant and awake: EOPNOTSUPP.)
void load(sys::Netlink& socket, const Program& program, const std::vector<scenario::Rule>& rules, bool fresh);

}  // namespace lab::firewall
