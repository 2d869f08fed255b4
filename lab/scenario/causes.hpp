// The names a scenario may expect as its cause. What they mean is the verdict's business, which this room can't see;
// a test of the room that knows both holds the two lists equal.
#pragma once

#include <span>
#include <string_view>

namespace lab::scenario {

std::span<const std::string_view> cause_names();
// What `lab list` groups by, in the order it prints them.
std::span<const std::string_view> layer_names();

}  // namespace lab::scenario
