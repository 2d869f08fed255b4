#include "commands/shell_words.hpp"

#include <fmt/format.h>

#include "commands/commands.hpp"

namespace lab::commands {
namespace {

constexpr std::string_view kBlank = " \t\n";

// Within double quotes a backslash only escapes these (POSIX, Shell Command Language 2.2.3).
constexpr std::string_view kEscapable = "$`\"\\\n";

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  std::vector<std::string> words() {
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (kBlank.find(c) != kBlank.npos) {
        finish();
        continue;
      }
      inside_ = true;
      if (c == '\'') {
        single();
      } else if (c == '"') {
        twice();
      } else if (c == '\\') {
        word_ += next("the backslash at the end escapes nothing");
      } else {
        word_ += c;
      }
    }
    finish();
    return std::move(words_);
  }

 private:
  [[noreturn]] void complain(const char* what) const {
    throw UsageError(fmt::format("{}: {}", text_, what), "quote as in a shell: 'one word' \"one word\" one\\ word");
  }
  char next(const char* otherwise) {
    if (at_ >= text_.size()) complain(otherwise);
    return text_[at_++];
  }
  void single() {
    for (char c = 0; (c = next("a ' is not closed")) != '\'';) word_ += c;
  }
  void twice() {
    constexpr const char* open = "a \" is not closed";
    for (char c = 0; (c = next(open)) != '"';) {
      if (c == '\\') {
        const char escaped = next(open);
        if (kEscapable.find(escaped) == kEscapable.npos) word_ += c;
        word_ += escaped;
      } else {
        word_ += c;
      }
    }
  }
  void finish() {
    if (inside_) words_.push_back(std::move(word_));
    word_.clear();
    inside_ = false;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::string word_;
  bool inside_ = false;  // of a word, which may be empty: ''
  std::vector<std::string> words_;
};

}  // namespace

std::vector<std::string> shell_words(std::string_view text) { return Splitter(text).words(); }

}  // namespace lab::commands
