#include "scenario/step.hpp"

#include "scenario/keys.hpp"
#include "scenario/names.hpp"
#include "scenario/reading.hpp"
#include "scenario/step_words.hpp"
#include "scenario/values.hpp"
#include "scenario/verbs.hpp"
#include "scenario/words.hpp"

namespace lab::scenario {
namespace {

std::string who(unsigned roles) {
  std::vector<std::string_view> names;
  for (const auto& role : kRoles) {
    if (roles & bit(role.value)) names.push_back(role.name);
  }
  return one_of(names);
}

std::vector<std::string_view> verbs_of(Role role) {
  std::vector<std::string_view> names;
  for (const auto& row : verb_rows()) {
    if (row.roles & bit(role)) names.push_back(row.name);
  }
  return names;
}

const VerbRow* verb(const Word& word, const Hand& hand) {
  const auto* row = word.quoted() ? nullptr : row_of(word.text);
  if (!row) {
    const auto known = verbs_of(hand.reading.role);
    auto hint = did_you_mean(word.text, known);
    hand.wrong(word.offset, "unknown step '" + std::string(word.text) + "'", std::move(hint));
    return nullptr;
  }
  if (!(row->roles & bit(hand.reading.role))) {
    hand.wrong(word.offset, "'" + std::string(row->name) + "' is a step of " + who(row->roles) + ", not of " +
                                (hand.reading.role == Role::op ? "an " : "a ") +
                                std::string(name_of(hand.reading.role)));
  }
  return row;
}

// "timeout=1s": the offset of '=', or npos for a word that is no setting.
std::size_t setting(const Word& word) {
  if (word.quoted()) return word.text.npos;
  const auto end = word.text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-");
  return end != word.text.npos && end > 0 && word.text[end] == '=' ? end : word.text.npos;
}

void read_timeout(Step& step, std::string_view value, std::size_t offset, const Hand& hand) {
  step.timeout = parse_duration(value);
  if (!step.timeout || step.timeout->count() == 0) {
    hand.wrong(offset, "timeout: expected a duration such as 500ms, found '" + std::string(value) + "'");
  }
}

void read_as(Step& step, std::string_view value, std::size_t offset, const Hand& hand) {
  if (!is_label(value)) hand.wrong(offset, "as: expected a name, found '" + std::string(value) + "'");
  step.connection = value;
}

void read_setting(Step& step, const VerbRow& row, const Word& word, std::size_t equals, const Hand& hand) {
  const auto key = word.text.substr(0, equals);
  const auto value = word.text.substr(equals + 1);
  if (key == "timeout" && row.timeout) return read_timeout(step, value, word.offset + equals + 1, hand);
  if (key == "as" && row.as) return read_as(step, value, word.offset + equals + 1, hand);
  std::vector<std::string_view> known;
  if (row.timeout) known.push_back("timeout");
  if (row.as) known.push_back("as");
  auto hint = did_you_mean(key, known);
  if (hint.empty()) hint = "usage: " + usage(row);
  hand.wrong(word.offset, "'" + std::string(row.name) + "' takes no '" + std::string(key) + "='", std::move(hint));
}

void read_arguments(Step& step, const VerbRow& row, const std::vector<Word>& words, const Hand& hand) {
  std::size_t next = 0;
  const std::size_t wanted = row.arguments[0].takes == Takes::nothing   ? 0
                             : row.arguments[1].takes == Takes::nothing ? 1
                                                                        : 2;
  for (std::size_t i = 1; i < words.size(); ++i) {
    const bool program = wanted > 0 && row.arguments[0].takes == Takes::program;
    const auto equals = program ? std::string_view::npos : setting(words[i]);
    if (equals != std::string_view::npos) {
      read_setting(step, row, words[i], equals, hand);
      continue;
    }
    if (next == wanted) {
      hand.wrong(words[i].offset, "'" + std::string(row.name) + "' takes no more words", "usage: " + usage(row));
      return;
    }
    take(step, row, row.arguments[next], words[i], hand);
    if (!program) ++next;
  }
  if (wanted > 0 && row.arguments[0].takes == Takes::program && words.size() > 1) return;
  if (next < wanted && !row.arguments[next].optional) {
    hand.wrong(words[0].offset, "'" + std::string(row.name) + "' needs " + std::string(row.arguments[next].name),
               "usage: " + usage(row));
  }
}

void flatten(const std::vector<Step>& steps, std::vector<const Step*>& all) {
  for (const auto& step : steps) {
    all.push_back(&step);
    flatten(step.body, all);
  }
}

}  // namespace

std::optional<Step> read_step(std::string_view text, const Locate& locate, StepReading& reading) {
  const Hand hand{reading, locate};
  Malformed why;
  const auto words = split_words(text, why);
  if (!words) {
    hand.wrong(why.offset, why.message);
    return {};
  }
  if (words->empty()) {
    hand.wrong(0, "expected a step, found an empty text");
    return {};
  }
  const auto* row = verb(words->front(), hand);
  if (!row) return {};
  Step step;
  step.verb = row->verb;
  step.name = row->name;
  step.source = text;
  step.place = locate(0);
  read_arguments(step, *row, *words, hand);
  return step;
}

Read<Step> parse_step(std::string_view text, const Place& place, Role role, Family family) {
  Read<Step> result;
  StepReading reading{role, family, result.mistakes};
  const Locate locate = [&](std::size_t offset) {
    return Place{place.file, place.line, place.line == 0 ? 0 : place.column + static_cast<std::uint32_t>(offset)};
  };
  if (auto step = read_step(text, locate, reading)) result.value = std::move(*step);
  tidy(result.mistakes);
  return result;
}

std::vector<const Step*> flattened(const std::vector<Step>& steps) {
  std::vector<const Step*> all;
  flatten(steps, all);
  return all;
}

}  // namespace lab::scenario
