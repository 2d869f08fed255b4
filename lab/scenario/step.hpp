// Reads one step.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "scenario/reader.hpp"

namespace lab::scenario {

// The place of a byte of the step's text.
using Locate = std::function<Place(std::size_t offset)>;

struct StepReading {
  Role role;
  Family family;
  std::vector<Mistake>& mistakes;
  unsigned depth = 0;  // of bodies within bodies
};

// Nothing when the verb is not known; else the step, with whatever was wrong in `mistakes`.
std::optional<Step> read_step(std::string_view text, const Locate& locate, StepReading& reading);

// Every step in the order of the file, those of bodies behind the step they belong to: the order in which
// expectations count a verb's uses ("recv#2").
std::vector<const Step*> flattened(const std::vector<Step>& steps);

}  // namespace lab::scenario
