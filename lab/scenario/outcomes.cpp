#include "scenario/outcomes.hpp"

#include <algorithm>

#include "scenario/kinds.hpp"
#include "system/error.hpp"

namespace lab::scenario {
namespace {

constexpr std::string_view kOutcomes[] = {"ok", "eof", "timeout", "mismatch", "not reached", "stopped"};
constexpr std::string_view kClosings[] = {"none",         "client FIN",   "client RST",  "server FIN",
                                          "server RST",   "proxy FIN",    "proxy RST",   "firewall FIN",
                                          "firewall RST", "injected FIN", "injected RST"};

bool is_bytes(std::string_view text) {
  return text.ends_with(" bytes") && parse_whole(text.substr(0, text.size() - 6)).has_value();
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

// "=5" and 5 are told as written.
std::string written(const Node& node) { return node.kind == Node::string ? node.text : std::to_string(node.number); }

void read_counts(Reading& reading, const Node& node, ReadOutcome one, Expectation& expectation) {
  if (node.members.empty()) reading.about(node, "expected an outcome and how often it is seen");
  for (const auto& member : node.members) {
    // The key is the outcome: read as if it stood there as a text.
    Node outcome;
    outcome.kind = Node::string;
    outcome.text = member.key;
    outcome.source = member.source;
    outcome.line = member.line;
    outcome.column = member.column;
    const auto name = one(reading, outcome);
    Within within(reading, member.key);
    const auto count = Compared::read(reading, member.value);
    if (!name || !count) continue;
    expectation.counts[*name] = *count;
    expectation.source += (expectation.source.empty() ? "" : ", ") + *name + " " + written(member.value);
  }
}

}  // namespace

std::optional<std::string> step_outcome(Reading& reading, const Node& node) {
  if (node.kind == Node::string) {
    if (std::find(std::begin(kOutcomes), std::end(kOutcomes), node.text) != std::end(kOutcomes)) return node.text;
    if (is_bytes(node.text)) return node.text;
    // One spelling for each number: a step reports EAGAIN, not EWOULDBLOCK.
    if (const int error = sys::errno_number(node.text)) return sys::errno_name(error);
  }
  auto known = views(errno_names());
  known.insert(known.begin(), std::begin(kOutcomes), std::end(kOutcomes));
  reading.wrong(node, "an outcome (" + one_of(kOutcomes) + ", \"N bytes\" or an errno's name)",
                node.kind == Node::string ? did_you_mean(node.text, known) : "");
  return {};
}

std::optional<std::string> exit_outcome(Reading& reading, const Node& node) {
  if (node.kind == Node::integer && node.number >= 0 && node.number <= 255) return std::to_string(node.number);
  if (node.kind == Node::string) {
    if (node.text == "stopped") return node.text;
    if (const int signal = sys::signal_number(node.text)) return sys::signal_name(signal);
    const auto status = parse_whole(node.text);
    if (status && *status <= 255) return std::to_string(*status);
  }
  reading.wrong(node, "an exit status from 0 to 255, a signal's name or 'stopped'",
                node.kind == Node::string ? did_you_mean(node.text, views(signal_names())) : "");
  return {};
}

std::optional<std::string> closing_outcome(Reading& reading, const Node& node) {
  static constexpr Shape shape{.what = "", .names = kClosings};
  if (!fits(reading, node, shape)) return {};
  return node.text;
}

void read_outcomes(Reading& reading, const Node& node, ReadOutcome one, Expectation& expectation) {
  if (node.kind == Node::table) return read_counts(reading, node, one, expectation);
  const auto add = [&](const Node& item) {
    if (auto outcome = one(reading, item)) expectation.outcomes.push_back(std::move(*outcome));
  };
  if (node.kind == Node::array) {
    if (node.items.empty()) return reading.wrong(node, "at least one outcome");
    for (const auto& item : node.items) add(item);
  } else {
    add(node);
  }
  expectation.source = joined(expectation.outcomes);
}

}  // namespace lab::scenario
