#include "scenario/kinds.hpp"

#include <algorithm>

namespace lab::scenario {
namespace {

// A NUL ends a string for the kernel, so no text that goes to it may hold one.
bool without_nul(Reading& reading, const Node& node) {
  if (node.text.find('\0') == std::string::npos) return true;
  reading.about(node, "a text can't hold a NUL byte here");
  return false;
}

std::optional<std::vector<std::string>> texts(Reading& reading, const Node& node) {
  if (node.items.size() > kMostItems) {
    reading.about(node, "has " + std::to_string(node.items.size()) + " items; at most " + std::to_string(kMostItems) +
                            " are taken");
    return {};
  }
  std::vector<std::string> list;
  for (const auto& item : node.items) {
    if (auto text = Text::read(reading, item)) list.push_back(std::move(*text));
  }
  if (list.size() != node.items.size()) return {};
  return list;
}

}  // namespace

std::optional<std::string> Text::read(Reading& reading, const Node& node) {
  if (!fits(reading, node, shape) || !without_nul(reading, node)) return {};
  return node.text;
}

std::optional<std::string> Line::read(Reading& reading, const Node& node) {
  auto text = Text::read(reading, node);
  if (text && (text->empty() || text->find('\n') != text->npos)) {
    reading.wrong(node, described(shape));
    return {};
  }
  return text;
}

bool Name::good(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

std::optional<std::string> Name::read(Reading& reading, const Node& node) {
  if (node.kind == Node::string && good(node.text)) return node.text;
  reading.wrong(node, described(shape));
  return {};
}

std::optional<std::vector<std::string>> TextList::read(Reading& reading, const Node& node) {
  if (!fits(reading, node, shape)) return {};
  return texts(reading, node);
}

std::optional<std::vector<std::string>> TextOrList::read(Reading& reading, const Node& node) {
  if (!fits(reading, node, shape)) return {};
  if (node.kind == Node::array) return texts(reading, node);
  if (!without_nul(reading, node)) return {};
  return std::vector{node.text};
}

std::optional<Duration> Pause::read(Reading& reading, const Node& node) {
  const auto unit = node.kind == Node::integer ? "write the unit: \"" + std::to_string(node.number) + "s\"" : "";
  if (node.kind == Node::string) {
    const auto span = parse_duration(node.text);
    if (span && *span <= kLongest) return span;
    if (span) {
      reading.about(node, "\"" + node.text + "\" is longer than 24h");
      return {};
    }
  }
  reading.wrong(node, described(shape), unit);
  return {};
}

std::optional<Duration> Span::read(Reading& reading, const Node& node) {
  const auto span = Pause::read(reading, node);
  if (span && span->count() == 0) {
    reading.about(node, "must be longer than 0");
    return {};
  }
  return span;
}

std::optional<std::uint64_t> Bytes::read(Reading& reading, const Node& node) {
  if (node.kind == Node::string) {
    const auto size = parse_size(node.text);
    if (size && *size <= std::uint64_t{kMostBytes}) return size;
    reading.wrong(node, described(shape));
    return {};
  }
  if (!fits(reading, node, shape)) return {};
  return static_cast<std::uint64_t>(node.number);
}

std::optional<Comparison> Compared::read(Reading& reading, const Node& node) {
  if (node.kind == Node::integer && node.number >= 0)
    return Comparison{.value = static_cast<std::uint64_t>(node.number)};
  if (node.kind == Node::string) {
    if (auto comparison = parse_comparison(node.text)) return comparison;
  }
  reading.wrong(node, described(shape));
  return {};
}

}  // namespace lab::scenario
