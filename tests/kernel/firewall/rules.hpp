// Rules as the tests write them: every key of the rule language, alone and in company.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "scenario/types.hpp"

namespace lab::test {

using scenario::Comparison;
using scenario::Direction;
using scenario::Family;
using scenario::Hook;
using scenario::Rule;
using scenario::RuleAction;

// A rule of that name that only counts, changed by `change`.
Rule counting(const std::string& name, const std::function<void(Rule&)>& change = {});
scenario::After after_handshake();
scenario::After after_packets(std::uint64_t packets);
scenario::After after_bytes(std::uint64_t bytes);
scenario::After after_time(std::chrono::milliseconds time);

// One of each, numbered names; they need not make sense together.
std::vector<Rule> one_of_each();

// The match keys that a rule uses, negated ones included ("not" with them); those of `after` by their own names.
std::set<std::string> keys_of(const Rule& rule);
std::set<std::string> every_key();

}  // namespace lab::test
