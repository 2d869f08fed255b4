#include "report/lines.hpp"

#include <fmt/format.h>

#include <utility>

namespace lab::report {
namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// How many bytes the UTF-8 sequence at `i` has; 0 where there is none. RFC 3629: no overlong forms, no surrogates.
std::size_t sequence(std::string_view text, std::size_t i) {
  const auto lead = static_cast<unsigned char>(text[i]);
  const std::size_t n = lead < 0x80                   ? 1
                        : lead >= 0xC2 && lead < 0xE0 ? 2
                        : lead >= 0xE0 && lead < 0xF0 ? 3
                        : lead >= 0xF0 && lead < 0xF5 ? 4
                                                      : 0;
  if (n == 0 || i + n > text.size()) return 0;
  for (std::size_t k = 1; k < n; ++k) {
    if (!continues(text[i + k])) return 0;
  }
  if (n < 3) return n;
  const auto second = static_cast<unsigned char>(text[i + 1]);
  const bool bad = (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ||
                   (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F);
  return bad ? 0 : n;
}

}  // namespace

int cells(std::string_view text) {
  int count = 0;
  for (const char c : text) count += continues(c) ? 0 : 1;
  return count;
}

std::string pad_right(std::string text, int width) {
  const int missing = width - cells(text);
  if (missing > 0) text.append(static_cast<std::size_t>(missing), ' ');
  return text;
}

std::string pad_left(std::string text, int width) {
  const int missing = width - cells(text);
  if (missing > 0) text.insert(0, static_cast<std::size_t>(missing), ' ');
  return text;
}

std::string cut(std::string_view text, int width) {
  if (cells(text) <= width) return std::string(text);
  std::size_t end = 0;
  for (int kept = 0; end < text.size(); ++end) {
    if (!continues(text[end]) && ++kept >= width) break;
  }
  return std::string(text.substr(0, end)) + (width > 0 ? "~" : "");
}

std::vector<std::string> wrap(std::string_view text, int width) {
  std::vector<std::string> lines;
  std::string line;
  while (!text.empty()) {
    const auto start = text.find_first_not_of(" \n\t");
    if (start == std::string_view::npos) break;
    text.remove_prefix(start);
    const auto word = text.substr(0, text.find_first_of(" \n\t"));
    text.remove_prefix(word.size());
    if (!line.empty() && cells(line) + 1 + cells(word) > width) lines.push_back(std::exchange(line, {}));
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (!line.empty() || lines.empty()) lines.push_back(line);
  return lines;
}

std::vector<std::string> wrap_hard(std::string_view text, int width) {
  std::vector<std::string> lines;
  for (const auto& line : wrap(text, width)) {
    std::string part;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (!continues(line[i]) && cells(part) == width) lines.push_back(std::exchange(part, {}));
      part += line[i];
    }
    lines.push_back(part);
  }
  return lines;
}

std::string paragraph(const std::string& first, std::string_view text, int width) {
  const int indent = cells(first);
  std::string out;
  for (const auto& line : wrap(text, width - indent)) {
    out += (out.empty() ? first : std::string(static_cast<std::size_t>(indent), ' ')) + line + "\n";
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto n = sequence(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    // C1 controls (U+0080 to U+009F) are commands to some terminals.
    const bool control =
        byte < 0x20 || byte == 0x7F || (n == 2 && byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0);
    if (n == 0 || control) {
      for (std::size_t k = 0; k < (n == 0 ? 1 : n); ++k)
        out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i + k]));
    } else {
      out += text.substr(i, n);
    }
    i += n == 0 ? 1 : n;
  }
  return out;
}

}  // namespace lab::report
