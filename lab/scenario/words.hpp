// A step split into words: bare ones, and texts between quotes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab::scenario {

struct Word {
  std::string_view text;   // between the quotes where there are any, escapes as written
  std::size_t offset = 0;  // of the word's first byte in the step, the quote included
  char quote = '\0';
  bool quoted() const { return quote != '\0'; }
};

struct Malformed {
  std::size_t offset = 0;
  std::string message;
};

// Words are parted by spaces; a text between ' or " may hold them, and \ keeps the quote behind it from ending it.
std::optional<std::vector<Word>> split_words(std::string_view step, Malformed& why);

// A step of a body, and where each of its bytes stands in the step around it.
struct BodyStep {
  std::string text;
  std::vector<std::uint32_t> offsets;  // as many as bytes, and one for the end
};

// The body's steps, parted by ';' outside of quotes. Only the escape of the body's own quote is resolved: the others
// belong to the texts inside.
std::vector<BodyStep> split_body(const Word& body);

}  // namespace lab::scenario
