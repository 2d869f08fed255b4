// Hears every cause on one case and decides.
#pragma once

#include "verdict/cause.hpp"

namespace lab::verdict {

struct Decision {
  Verdict verdict;
  std::string by = "nobody";
};

Decision decide(const Case& one);

// Nobody complained, or whoever did so had no reason that is known.
Decision healthy(const Case& one);

// Which sources would have told, and why they did not.
std::vector<std::string> missing_sources(const Facts& facts);

// The verdict on a run in which nobody connected.
Decision decide_without_connections(const Facts& facts);

}  // namespace lab::verdict
