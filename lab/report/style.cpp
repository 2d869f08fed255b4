#include "report/style.hpp"

#include <array>

namespace lab::report {

std::string paint(const TextOptions& options, Paint how, std::string_view text) {
  // SGR parameters, ECMA-48 8.3.117.
  constexpr std::array<std::string_view, 6> codes = {"32", "31", "33", "1", "2", "36"};
  if (!options.colour || text.empty()) return std::string(text);
  std::string out = "\x1b[";
  out += codes[static_cast<std::size_t>(how)];
  out += 'm';
  out += text;
  out += "\x1b[0m";
  return out;
}

const Glyphs& glyphs(const TextOptions& options) {
  static constexpr Glyphs ascii = {"-", ">", "<", "X", "|", ":", "ok", "NO", "..."};
  static constexpr Glyphs drawn = {"─", "▶", "◀", "✗", "│", "⋮", "✓", "✗", "…"};
  return options.unicode ? drawn : ascii;
}

}  // namespace lab::report
