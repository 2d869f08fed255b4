// Hears every cause on one case and decides.
#pragma once

#include "verdict/cause.hpp"

namespace lab::verdict {

struct Decision {
  Verdict verdict;
  std::string by = "nobody";
};

Decision decide(const Case& one);

// The verdict on a run in which nobody connected.
Decision decide_without_connections(const Facts& facts);

}  // namespace lab::verdict
