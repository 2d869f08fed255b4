// The known name that was probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab::scenario {

// The closest of `known` to `name` (insertions, deletions, replacements and swaps of neighbours, case ignored), or ""
// when none is closer than a third of the name's length.
std::string_view nearest(std::string_view name, std::span<const std::string_view> known);

// "did you mean 'recv'?", or "" when nothing is near.
std::string did_you_mean(std::string_view name, std::span<const std::string_view> known);

// "'ipv4' or 'ipv6'"; "'a', 'b' or 'c'".
std::string one_of(std::span<const std::string_view> names);

// Views of owned strings, for the functions above.
template <class Names>
std::vector<std::string_view> views(const Names& names) {
  return {names.begin(), names.end()};
}

}  // namespace lab::scenario
