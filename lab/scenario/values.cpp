#include "scenario/values.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <limits>

#include "scenario/names.hpp"
#include "system/error.hpp"

namespace lab::scenario {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr Unit kDurations[] = {
    {"ns", 1}, {"us", 1'000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
constexpr Unit kSizes[] = {{"", 1}, {"B", 1}, {"KiB", 1024}, {"MiB", 1024 * 1024}, {"GiB", 1024 * 1024 * 1024}};
constexpr Unit kRates[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}, {"day", 86400}};

struct Operator {
  std::string_view name;
  Comparison::Op op;
};
// Longer ones first.
constexpr Operator kOperators[] = {{">=", Comparison::Op::at_least},  {"<=", Comparison::Op::at_most},
                                   {"!=", Comparison::Op::not_equal}, {"==", Comparison::Op::equal},
                                   {">", Comparison::Op::more},       {"<", Comparison::Op::less},
                                   {"=", Comparison::Op::equal}};

std::string_view without_spaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

template <std::size_t N>
std::optional<std::uint64_t> measured(std::string_view text, const Unit (&units)[N]) {
  const auto digits = text.find_first_not_of("0123456789");
  const auto number = parse_whole(text.substr(0, digits));
  if (!number) return {};
  const auto name = digits == text.npos ? std::string_view() : text.substr(digits);
  for (const auto& unit : units) {
    if (unit.name != name) continue;
    if (*number > std::uint64_t{std::numeric_limits<std::int64_t>::max()} / unit.factor) return {};
    return *number * unit.factor;
  }
  return {};
}

struct Binary {
  unsigned char bytes[16];
  int family;
};

std::optional<Binary> binary(std::string_view address) {
  const std::string text(address);
  Binary result{};
  for (const int family : {AF_INET, AF_INET6}) {
    result.family = family;
    if (inet_pton(family, text.c_str(), result.bytes) == 1 && text.find('\0') == text.npos) return result;
  }
  return {};
}

int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr Named<char> kEscapes[] = {{"n", '\n'}, {"r", '\r'}, {"t", '\t'}, {"\\", '\\'}, {"'", '\''}, {"\"", '"'}};

// Names without a space: "errno 41" is a number that has none.
std::vector<std::string> known_names(std::string (*name)(int), int from, int to) {
  std::vector<std::string> names;
  for (int i = from; i < to; ++i) {
    if (auto text = name(i); text.find(' ') == text.npos) names.push_back(std::move(text));
  }
  return names;
}

}  // namespace

std::optional<std::uint64_t> parse_whole(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

std::optional<Duration> parse_duration(std::string_view text) {
  const auto ns = measured(text, kDurations);
  if (!ns) return {};
  return Duration(static_cast<std::int64_t>(*ns));
}

std::optional<std::uint64_t> parse_size(std::string_view text) { return measured(text, kSizes); }

std::optional<Range> parse_range(std::string_view text) {
  const auto end = text.find_first_not_of("0123456789");
  const auto first = parse_whole(text.substr(0, end));
  if (!first || *first == 0) return {};
  if (end == text.npos) return Range{*first, *first, 1};
  const auto rest = text.substr(end);
  if (rest == "+") return Range{*first, {}, 1};
  if (rest.starts_with("+")) {
    const auto every = parse_whole(rest.substr(1));
    if (!every || *every == 0) return {};
    return Range{*first, {}, *every};
  }
  if (!rest.starts_with("..")) return {};
  const auto last = parse_whole(rest.substr(2));
  if (!last || *last < *first) return {};
  return Range{*first, *last, 1};
}

std::optional<Comparison> parse_comparison(std::string_view text) {
  Comparison result;
  text = without_spaces(text);
  for (const auto& [name, op] : kOperators) {
    if (!text.starts_with(name)) continue;
    result.op = op;
    text = without_spaces(text.substr(name.size()));
    break;
  }
  const auto value = parse_whole(text);
  if (!value) return {};
  result.value = *value;
  return result;
}

std::optional<Rate> parse_rate(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == text.npos) return {};
  const auto count = parse_whole(text.substr(0, slash));
  if (!count || *count == 0 || *count > std::numeric_limits<std::uint32_t>::max()) return {};
  for (const auto& unit : kRates) {
    if (unit.name == text.substr(slash + 1)) return Rate{*count, unit.factor};
  }
  return {};
}

std::optional<double> parse_share(std::string_view text) {
  if (!text.ends_with('%')) return {};
  const auto percent = parse_whole(text.substr(0, text.size() - 1));
  if (!percent || *percent == 0 || *percent > 100'000) return {};
  return static_cast<double>(*percent) / 100.0;
}

std::optional<Family> family_of(std::string_view address) {
  const auto found = binary(address);
  if (!found) return {};
  return found->family == AF_INET ? Family::ipv4 : Family::ipv6;
}

std::string canonical(std::string_view address) {
  const auto found = binary(address);
  if (!found) return std::string(address);
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(found->family, found->bytes, text, sizeof text);
}

std::optional<Endpoint> parse_endpoint(std::string_view text, Family family) {
  const auto colon = text.rfind(':');
  if (colon == text.npos) return {};
  auto host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const auto port = parse_whole(text.substr(colon + 1));
  if (!port || *port == 0 || *port > 65535) return {};
  if (host == "localhost") host = family == Family::ipv4 ? "127.0.0.1" : "::1";
  const auto written = family_of(host);
  if (!written || (bracketed != (*written == Family::ipv6) && text.substr(0, colon) != "localhost")) return {};
  return Endpoint{canonical(host), static_cast<std::uint16_t>(*port)};
}

std::optional<Family> family_of_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto family = family_of(text.substr(0, slash));
  if (!family || slash == text.npos) return family;
  const auto prefix = parse_whole(text.substr(slash + 1));
  if (!prefix || *prefix > (*family == Family::ipv4 ? 32u : 128u)) return {};
  return family;
}

const std::vector<std::string>& errno_names() {
  static const auto names = known_names(sys::errno_name, 1, 134);
  return names;
}

const std::vector<std::string>& signal_names() {
  static const auto names = [] {
    auto list = known_names(sys::signal_name, 1, 32);
    const auto whole = list.size();
    for (std::size_t i = 0; i < whole; ++i) list.push_back(list[i].substr(3));  // "TERM"
    return list;
  }();
  return names;
}

std::optional<std::string> unescape(std::string_view text, std::size_t* at) {
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
      continue;
    }
    if (at) *at = i;
    if (i + 1 == text.size()) return {};
    if (const auto simple = value_of(kEscapes, text.substr(i + 1, 1))) {
      bytes += *simple;
      i += 1;
      continue;
    }
    if (text[i + 1] != 'x' || i + 3 >= text.size()) return {};
    const int high = digit_of(text[i + 2]), low = digit_of(text[i + 3]);
    if (high < 0 || low < 0) return {};
    bytes += static_cast<char>(high * 16 + low);
    i += 3;
  }
  return bytes;
}

}  // namespace lab::scenario
