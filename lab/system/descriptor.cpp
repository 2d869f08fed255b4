#include "system/descriptor.hpp"

#include <algorithm>

#include "system/error.hpp"

namespace lab::sys {

void close_descriptors_except(std::vector<int> kept) {
  std::sort(kept.begin(), kept.end());
  unsigned from = 3;
  for (const int number : kept) {
    if (number < static_cast<int>(from)) continue;
    const auto stop = static_cast<unsigned>(number);
    if (stop > from) check(::close_range(from, stop - 1, 0), "close inherited descriptors");
    from = stop + 1;
  }
  check(::close_range(from, ~0u, 0), "close inherited descriptors");
}

}  // namespace lab::sys
