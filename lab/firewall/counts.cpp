#include "firewall/counts.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

namespace lab::firewall {

namespace {

struct Word {
  std::size_t at, length;
};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// Words outside of strings; what else stands there parts them.
std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '"') {
      at = std::min(text.find('"', at + 1), text.size() - 1) + 1;
      words.push_back({at, 0});
    } else if (is_word(text[at])) {
      const auto end = std::find_if_not(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(), is_word);
      const auto length = static_cast<std::size_t>(end - text.begin()) - at;
      words.push_back({at, length});
      at += length;
    } else {
      if (text[at] != ' ' && text[at] != '\t') words.push_back({at, 0});
      ++at;
    }
  }
  return words;
}

}  // namespace

std::string from_zero(std::string ruleset) {
  const auto words = words_of(ruleset);
  const auto is = [&](const Word& word, std::string_view text) {
    return ruleset.compare(word.at, word.length, text) == 0;
  };
  const auto number = [&](const Word& word) {
    return word.length &&
           std::all_of(&ruleset[word.at], &ruleset[word.at] + word.length, [](char c) { return c >= '0' && c <= '9'; });
  };
  const auto clear = [&](const Word& word) {
    std::fill_n(&ruleset[word.at], word.length, ' ');
    ruleset[word.at] = '0';
  };
  for (std::size_t i = 0; i + 3 < words.size(); ++i) {
    if (!is(words[i], "packets") || !number(words[i + 1]) || !is(words[i + 2], "bytes") || !number(words[i + 3]))
      continue;
    clear(words[i + 1]);
    clear(words[i + 3]);
  }
  return ruleset;
}

}  // namespace lab::firewall
