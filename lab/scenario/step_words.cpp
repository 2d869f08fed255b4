#include "scenario/step_words.hpp"

#include <algorithm>
#include <iterator>

#include "scenario/kinds.hpp"
#include "scenario/options.hpp"
#include "scenario/values.hpp"
#include "system/error.hpp"

namespace lab::scenario {
namespace {

constexpr unsigned kDeepest = 8;
constexpr std::uint64_t kMostSent = std::uint64_t{1} << 30;
constexpr std::size_t kLongestText = 1 << 16;

struct Taking {
  Step& step;
  const VerbRow& row;
  const Argument& argument;
  const Word& word;
  const Hand& hand;
  std::string shown() const { return "'" + std::string(word.text) + "'"; }
  void expected(const std::string& what, std::string hint = "") const {
    hand.wrong(word.offset, std::string(row.name) + ": expected " + what + ", found " + shown(), std::move(hint));
  }
};

void take_duration(const Taking& t) {
  t.step.duration = parse_duration(t.word.text);
  if (t.step.duration && *t.step.duration <= kLongest) return;
  const bool plain = parse_whole(t.word.text).has_value();
  t.expected("a duration such as 50ms, 1s or 2m (at most 24h)",
             plain ? "write the unit: " + std::string(t.word.text) + "s" : "");
}

// allocate takes address space, the others bytes that really move.
void take_size(const Taking& t) {
  const auto most = t.step.verb == Verb::allocate ? std::uint64_t{kMostBytes} : kMostSent;
  t.step.size = t.word.quoted() ? std::nullopt : parse_size(t.word.text);
  if (!t.step.size) return t.expected("a size such as 64, 4KiB or 1MiB");
  if (*t.step.size > most) return t.expected("at most " + std::to_string(most) + " bytes");
  if (*t.step.size == 0) t.expected("a size above 0");
}

void take_count(const Taking& t) {
  t.step.size = parse_whole(t.word.text);
  const auto most = std::uint64_t{kMostCount};
  if (!t.step.size || *t.step.size == 0 || *t.step.size > most) {
    t.expected("a number from 1 to " + std::to_string(most));
  }
}

void take_code(const Taking& t) {
  t.step.size = parse_whole(t.word.text);
  if (!t.step.size || *t.step.size > 255) t.expected("an exit status from 0 to 255");
}

void take_text(const Taking& t) {
  if (!t.word.quoted())
    return t.expected("a text in quotes", std::string(t.row.name) + " '" + std::string(t.word.text) + "'");
  std::size_t at = 0;
  auto bytes = unescape(t.word.text, &at);
  if (!bytes) {
    t.hand.wrong(t.word.offset + 1 + at, "unknown escape '" + std::string(t.word.text.substr(at, 2)) + "'",
                 R"(texts know \n \r \t \\ \' \" \xNN)");
    return;
  }
  if (bytes->size() > kLongestText) return t.hand.wrong(t.word.offset, "the text is longer than 64 KiB");
  if (bytes->empty() && t.step.verb == Verb::expect) return t.expected("at least one byte");
  t.step.text = std::move(*bytes);
}

void take_text_or_size(const Taking& t) {
  if (t.word.quoted()) return take_text(t);
  const auto size = parse_size(t.word.text);
  const bool number = !t.word.text.empty() && t.word.text[0] >= '0' && t.word.text[0] <= '9';
  if (size || number) return take_size(t);
  t.expected("a text in quotes or a size", std::string(t.row.name) + " '" + std::string(t.word.text) + "'");
}

void take_endpoint(const Taking& t) {
  t.step.endpoint = parse_endpoint(t.word.text, t.hand.reading.family);
  if (!t.step.endpoint) t.expected("an address and a port such as 127.0.0.1:8080 or [::1]:8080");
}

void take_connection(const Taking& t) {
  if (!is_label(t.word.text)) return t.expected("the name of a connection");
  t.step.connection = t.word.text;
}

void take_body(const Taking& t) {
  if (!t.word.quoted()) return t.expected("steps in quotes", usage(t.row));
  if (t.hand.reading.depth == kDeepest) return t.hand.wrong(t.word.offset, "bodies are nested more than 8 deep");
  ++t.hand.reading.depth;
  for (const auto& part : split_body(t.word)) {
    const Locate locate = [&](std::size_t offset) {
      return t.hand.locate(part.offsets[std::min(offset, part.offsets.size() - 1)]);
    };
    if (auto step = read_step(part.text, locate, t.hand.reading)) t.step.body.push_back(std::move(*step));
  }
  --t.hand.reading.depth;
}

void take_program(const Taking& t) {
  std::string word(t.word.text);
  if (t.word.quoted()) {
    if (auto plain = unescape(t.word.text)) word = std::move(*plain);
  }
  if (word.find('\0') != word.npos) return t.hand.wrong(t.word.offset, "exec: a word can't hold a NUL byte");
  if (t.step.words.empty() && word.empty()) return t.expected("a program");
  t.step.words.push_back(std::move(word));
}

void keep(const Taking& t) { t.step.words.emplace_back(t.word.text); }

void take_choice(const Taking& t) {
  std::vector<std::string_view> choices;
  for (auto rest = t.argument.choices; !rest.empty();) {
    const auto bar = rest.find('|');
    choices.push_back(rest.substr(0, bar));
    rest = bar == rest.npos ? std::string_view() : rest.substr(bar + 1);
  }
  keep(t);
  if (std::find(choices.begin(), choices.end(), t.word.text) != choices.end()) return;
  t.expected(one_of(choices), did_you_mean(t.word.text, choices));
}

void take_label(const Taking& t) {
  keep(t);
  if (!is_label(t.word.text)) t.expected("a name of letters, digits, '_', '-' and '.'");
}

void take_signal(const Taking& t) {
  keep(t);
  const auto number = sys::signal_number(t.word.text);
  t.step.size = static_cast<std::uint64_t>(number);
  if (number == 0) t.expected("a signal such as SIGTERM", did_you_mean(t.word.text, views(signal_names())));
}

void take_option(const Taking& t) {
  keep(t);
  if (option_row(t.word.text)) return;
  std::vector<std::string_view> names;
  for (const auto& row : option_rows()) names.push_back(row.name);
  t.hand.wrong(t.word.offset, "unknown socket option " + t.shown(), did_you_mean(t.word.text, names));
}

void take_option_value(const Taking& t) {
  keep(t);
  const auto* row = option_row(t.step.words.front());
  if (!row) return;
  const auto option = parse_option(*row, t.word.text);
  if (!option)
    return t.hand.wrong(t.word.offset,
                        std::string(row->name) + ": expected " + described(*row) + ", found " + t.shown());
  t.step.size = static_cast<std::uint64_t>(option->number);
  t.step.text = option->text;
}

// IFNAMSIZ is 16 with the final NUL (linux/if.h).
void take_device(const Taking& t) {
  keep(t);
  if (t.word.text.empty() || t.word.text.size() > 15 || t.word.text.find('/') != t.word.text.npos) {
    t.expected("the name of a link of at most 15 letters");
  }
}

void take_address(const Taking& t) {
  keep(t);
  if (!family_of_network(t.word.text)) t.expected("an address such as 127.0.0.1 or 2001:db8::/32");
}

void take_sysctl(const Taking& t) {
  keep(t);
  if (!is_net_sysctl(t.word.text)) t.expected("a sysctl of net.*, such as net.ipv4.tcp_retries2");
}

constexpr void (*kTake[])(const Taking&) = {
    nullptr,       take_duration,   take_size,         take_count,   take_code,    take_text,   take_text_or_size,
    take_endpoint, take_connection, take_body,         take_program, take_choice,  take_label,  take_signal,
    take_label,    take_option,     take_option_value, take_device,  take_address, take_sysctl, keep,
    take_label,    take_label};
static_assert(std::size(kTake) == static_cast<std::size_t>(Takes::actor) + 1);

}  // namespace

void take(Step& step, const VerbRow& row, const Argument& argument, const Word& word, const Hand& hand) {
  kTake[static_cast<std::size_t>(argument.takes)]({step, row, argument, word, hand});
}

bool is_label(std::string_view text) { return Name::good(text); }

bool is_net_sysctl(std::string_view key) {
  if (!key.starts_with("net.") || key.size() > 128 || key.ends_with('.') || key.find("..") != key.npos) return false;
  return key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == key.npos;
}

}  // namespace lab::scenario
