// Every cause on trial: its typical timeline, and the nearest that looks like it and is something else.
#pragma once

#include <vector>

#include "unit/verdict/story.hpp"

namespace lab::verdict {

struct Trial {
  const char* cause;
  Story (*typical)();
  const char* other;  // what the look-alike is
  Story (*look_alike)();
};

std::vector<Trial> application_trials();
std::vector<Trial> limits_trials();
std::vector<Trial> between_trials();
std::vector<Trial> connect_trials();

}  // namespace lab::verdict
