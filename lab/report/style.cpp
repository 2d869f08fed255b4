#include "report/style.hpp"

#include <array>
#include <utility>

#include "report/lines.hpp"

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

std::string spoken(const TextOptions& options, std::string_view text) {
  static constexpr std::pair<std::string_view, std::string_view> plain[] = {{"→", "->"}, {"…", "..."}};
  auto out = printable(text);
  if (options.unicode) return out;
  for (const auto& [drawn, ascii] : plain)
    for (auto at = out.find(drawn); at != out.npos; at = out.find(drawn, at)) out.replace(at, drawn.size(), ascii);
  return out;
}

}  // namespace lab::report
