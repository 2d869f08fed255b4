#include <algorithm>
#include <cmath>

#include "report/report.hpp"

namespace lab::report {

// Wilson, Probable Inference (1927): keeps sense at 0 of n and n of n, where the normal approximation has none.
std::pair<double, double> interval95(std::uint64_t count, std::uint64_t runs) {
  if (runs == 0) return {0, 1};
  constexpr double z = 1.959963984540054;
  const auto n = static_cast<double>(runs);
  const double p = static_cast<double>(count) / n;
  const double scale = 1 + z * z / n;
  const double middle = (p + z * z / (2 * n)) / scale;
  const double half = z / scale * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return {count == 0 ? 0 : std::max(0.0, middle - half), count >= runs ? 1 : std::min(1.0, middle + half)};
}

}  // namespace lab::report
