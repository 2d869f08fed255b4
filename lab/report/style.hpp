// Colours and line-drawing, where the terminal has them.
#pragma once

#include <string>
#include <string_view>

#include "report/report.hpp"

namespace lab::report {

enum class Paint { good, bad, warn, strong, dim, wire };
std::string paint(const TextOptions& options, Paint how, std::string_view text);

struct Glyphs {
  std::string_view line, right, left, stop, life, more, good, bad, dots;
};
const Glyphs& glyphs(const TextOptions& options);
// printable(), and where the terminal has ASCII only, without the arrows and dots that the verdict writes.
std::string spoken(const TextOptions& options, std::string_view text);

}  // namespace lab::report
