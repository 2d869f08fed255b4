// Text in columns: widths are those of a terminal's cells, counted in code points.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lab::report {

int cells(std::string_view text);
std::string pad_right(std::string text, int width);  // blanks behind it
std::string pad_left(std::string text, int width);   // blanks before it
// At most `width` cells; what is cut ends in "~".
std::string cut(std::string_view text, int width);
// Words filled into lines of `width` cells; a word longer than a line keeps its own.
std::vector<std::string> wrap(std::string_view text, int width);
// The same, but a word longer than a line goes on in the next.
std::vector<std::string> wrap_hard(std::string_view text, int width);
// The text wrapped, its first line behind `first`, the others behind as many blanks; each with its newline.
std::string paragraph(const std::string& first, std::string_view text, int width);
// Control characters and bytes that are no UTF-8 as \xNN: what a stranger's program wrote must not reach the terminal.
std::string printable(std::string_view text);

}  // namespace lab::report
