#include "scenario/match.hpp"

#include <algorithm>

#include "scenario/kinds.hpp"

namespace lab::scenario {
namespace {

// ---- after

using Packets = Whole<1, 0xFFFFFFFF>;

constexpr Key<After> kAfterKeys[] = {
    key<Packets, &After::packets>("packets", "packets of the rule's direction, handshake included"),
    key<Bytes, &After::bytes>("bytes", "bytes of the rule's direction, IP headers included"),
    key<Span, &After::time>("time", "since the first SYN"),
};

constexpr Shape kAfter{.what = "\"handshake\", or one of { packets = N }, { bytes = SIZE } and { time = D }",
                       .kinds = Node::string | Node::table,
                       .table = &properties<kAfterKeys>};

void read_after(Reading& reading, const Node& node, Match& match) {
  if (!fits(reading, node, kAfter)) return;
  After after;
  if (node.kind == Node::string) {
    after.handshake = node.text == "handshake";
    constexpr std::string_view known[] = {"handshake"};
    if (!after.handshake) return reading.wrong(node, described(kAfter), did_you_mean(node.text, known));
  } else {
    read_table(reading, node, kAfterKeys, after);
    if (node.members.size() != 1) return reading.about(node, "expected " + described(kAfter));
  }
  match.after = after;
}

// ---- flags

constexpr Shape kFlags{.what = "TCP flags such as \"psh, !syn\"", .pattern = "^ *!?[a-z]{3}( *, *!?[a-z]{3})* *$"};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

void read_flag(Reading& reading, const Node& node, std::string_view word, Match& match) {
  const bool unset = word.starts_with('!');
  const auto name = trimmed(unset ? word.substr(1) : word);
  const auto bit = value_of(kTcpFlags, name);
  if (!bit) {
    const auto names = names_of(kTcpFlags);
    return reading.about(node, "unknown TCP flag '" + std::string(name) + "', expected " + one_of(names),
                         did_you_mean(name, names));
  }
  auto& bits = unset ? match.flags_unset : match.flags_set;
  bits = static_cast<std::uint8_t>(bits | *bit);
}

void read_flags(Reading& reading, const Node& node, Match& match) {
  if (!fits(reading, node, kFlags)) return;
  match.flags = node.text;
  for (std::string_view rest = node.text;;) {
    const auto comma = rest.find(',');
    read_flag(reading, node, trimmed(rest.substr(0, comma)), match);
    if (comma == rest.npos) break;
    rest.remove_prefix(comma + 1);
  }
  if (match.flags_set & match.flags_unset) reading.about(node, "a flag can't be both set and not set");
}

// ---- the others

constexpr std::string_view kStates[] = {"new", "established", "related", "invalid", "untracked"};
constexpr Shape kState{.what = "", .names = kStates};
constexpr Shape kStateList{
    .what = "a conntrack state or a list of them", .kinds = Node::array | Node::string, .item = &kState};

void read_state(Reading& reading, const Node& node, Match& match) {
  if (!fits(reading, node, kStateList)) return;
  const auto one = [&](const Node& item) {
    if (fits(reading, item, kState)) match.state.push_back(item.text);
  };
  if (node.kind == Node::string) return one(node);
  if (node.items.empty()) return reading.wrong(node, described(kStateList));
  std::for_each(node.items.begin(), node.items.end(), one);
}

// A text as in steps, so that \xNN writes bytes that TOML has no escape for.
constexpr Shape kPayload{.what = "the first bytes of the payload as a text"};

void read_payload(Reading& reading, const Node& node, Match& match) {
  if (!fits(reading, node, kPayload)) return;
  std::size_t at = 0;
  auto bytes = unescape(node.text, &at);
  if (!bytes) {
    return reading.mistake(node.place_in(at), reading.path + ": unknown escape '" + node.text.substr(at, 2) + "'",
                           R"(texts know \n \r \t \\ \' \" \xNN)");
  }
  if (bytes->empty()) return reading.about(node, "expected at least one byte");
  match.payload = std::move(*bytes);
}

// In IPv6, frag-needed is "packet too big".
constexpr std::string_view kIcmp[] = {"frag-needed",     "packet-too-big",   "port-unreachable", "host-unreachable",
                                      "net-unreachable", "admin-prohibited", "unreachable",      "time-exceeded"};
struct IcmpName {
  static constexpr Shape shape{.what = "", .names = kIcmp};
  static std::optional<std::string> read(Reading& reading, const Node& node) {
    if (!fits(reading, node, shape)) return {};
    return node.text;
  }
};

struct Probability {
  static constexpr Shape shape{.what = "a probability above 0 and at most 1", .kinds = Node::real | Node::integer};
  static std::optional<double> read(Reading& reading, const Node& node) {
    const double value = node.kind == Node::integer ? static_cast<double>(node.number) : node.fraction;
    if ((node.kind & shape.kinds) && value > 0 && value <= 1) return value;
    reading.wrong(node, described(shape));
    return {};
  }
};

struct RateText {
  static constexpr Shape shape{.what = "a rate such as \"10/second\" (second, minute, hour, day)",
                               .pattern = "^[1-9][0-9]*/(second|minute|hour|day)$"};
  static std::optional<Rate> read(Reading& reading, const Node& node) {
    if (!fits(reading, node, shape)) return {};
    const auto rate = parse_rate(node.text);
    if (!rate) reading.wrong(node, described(shape));
    return rate;
  }
};

using Mark = Whole<0, 0xFFFFFFFF>;
using Every = Whole<1, 0xFFFFFFFF>;

constexpr Key<Match> kMatchKeys[] = {
    special<Match>("after", kAfter, read_after, "only what comes behind that point of the connection"),
    special<Match>("flags", kFlags, read_flags, "TCP flags that must be set, or (!) must not"),
    special<Match>("state", kStateList, read_state, "conntrack state, any of these"),
    key<Compared, &Match::length>("length", "bytes of the IP packet as the hook sees it"),
    special<Match>("payload", kPayload, read_payload, "first bytes of the TCP payload"),
    key<IcmpName, &Match::icmp>("icmp", "instead of TCP: an ICMP answer about this flow"),
    key<Mark, &Match::mark>("mark", "packet mark"),
    key<Mark, &Match::ct_mark>("ct-mark", "mark of the connection"),
};

constexpr Key<Match> kPaceKeys[] = {
    key<Every, &Match::every>("every", "the N-th, 2N-th, … segment that matches all else"),
    key<Probability, &Match::probability>("probability", "of each segment that matches all else"),
    key<RateText, &Match::rate>("rate", "acts on what exceeds it"),
    key<Compared, &Match::connections>("connections", "how many connections there are at once"),
};

}  // namespace

std::span<const Key<Match>> match_keys() { return kMatchKeys; }
std::span<const Key<Match>> pace_keys() { return kPaceKeys; }

}  // namespace lab::scenario
