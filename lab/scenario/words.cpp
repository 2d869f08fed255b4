#include "scenario/words.hpp"

namespace lab::scenario {
namespace {

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The offset of the quote that ends the text which starts at `at`.
std::size_t closing(std::string_view text, std::size_t at, char quote) {
  while (at < text.size() && text[at] != quote) at += text[at] == '\\' ? 2 : 1;
  return at < text.size() ? at : text.npos;
}

BodyStep unquoted(const Word& body) {
  BodyStep whole;
  const auto start = static_cast<std::uint32_t>(body.offset + 1);
  for (std::uint32_t i = 0; i < body.text.size(); ++i) {
    if (body.text[i] == '\\' && i + 1 < body.text.size() && body.text[i + 1] == body.quote) ++i;
    whole.text += body.text[i];
    whole.offsets.push_back(start + i);
  }
  whole.offsets.push_back(start + static_cast<std::uint32_t>(body.text.size()));
  return whole;
}

BodyStep part(const BodyStep& whole, std::size_t from, std::size_t to) {
  while (from < to && is_space(whole.text[from])) ++from;
  while (to > from && is_space(whole.text[to - 1])) --to;
  using Difference = std::vector<std::uint32_t>::difference_type;
  return {
      whole.text.substr(from, to - from),
      {whole.offsets.begin() + static_cast<Difference>(from), whole.offsets.begin() + static_cast<Difference>(to) + 1}};
}

}  // namespace

std::optional<std::vector<Word>> split_words(std::string_view step, Malformed& why) {
  std::vector<Word> words;
  std::size_t at = 0;
  while (true) {
    while (at < step.size() && is_space(step[at])) ++at;
    if (at == step.size()) return words;
    const std::size_t start = at;
    const char quote = step[at];
    if (quote != '\'' && quote != '"') {
      while (at < step.size() && !is_space(step[at])) ++at;
      words.push_back({step.substr(start, at - start), start});
      continue;
    }
    const auto end = closing(step, at + 1, quote);
    if (end == step.npos) {
      why = {start, std::string("the text that starts here has no closing ") + quote};
      return {};
    }
    words.push_back({step.substr(start + 1, end - start - 1), start, quote});
    at = end + 1;
    if (at < step.size() && !is_space(step[at])) {
      why = {at, "expected a space behind the text"};
      return {};
    }
  }
}

std::vector<BodyStep> split_body(const Word& body) {
  const auto whole = unquoted(body);
  std::vector<BodyStep> steps;
  std::size_t from = 0;
  char quote = '\0';
  for (std::size_t i = 0; i < whole.text.size(); ++i) {
    const char c = whole.text[i];
    if (quote != '\0') {
      if (c == '\\') ++i;
      if (c == quote) quote = '\0';
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == ';') {
      steps.push_back(part(whole, from, i));
      from = i + 1;
    }
  }
  steps.push_back(part(whole, from, whole.text.size()));
  if (steps.size() > 1 && steps.back().text.empty()) steps.pop_back();  // a ';' at the end
  return steps;
}

}  // namespace lab::scenario
