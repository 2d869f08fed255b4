#include "system/nftables/rule_texts.hpp"

#include <nftables/libnftables.h>

#include <charconv>
#include <sstream>
#include <utility>

#include "system/nftables/library.hpp"
#include "system/error.hpp"

namespace lab::nft {
namespace {

constexpr std::string_view kHandle = " # handle ";

std::string_view trimmed(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return "";
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

// The number behind the last " # handle ", 0 for none.
std::uint64_t handle_of(std::string_view line) {
  const auto at = line.rfind(kHandle);
  if (at == std::string_view::npos) return 0;
  std::uint64_t handle = 0;
  const auto* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + at + kHandle.size(), end, handle);
  return error == std::errc{} && stop == end ? handle : 0;
}

}  // namespace

// Blocks are told by their first word; a rule is whatever in a chain ends with a handle, over several lines where it
// has a large anonymous set.
RuleTexts parse_texts(const std::string& listing) {
  RuleTexts texts;
  std::string family, table, rule, raw;
  bool in_chain = false;
  for (std::istringstream lines(listing); std::getline(lines, raw);) {
    const auto line = trimmed(raw);
    if (raw.starts_with("table ")) {
      std::istringstream words{std::string(line)};
      words >> family >> family >> table;
    } else if (raw.starts_with("\tchain ")) {
      in_chain = true;
    } else if (raw.starts_with("\t}")) {
      in_chain = false;
      rule.clear();
    } else if (in_chain && !(rule.empty() && (line.starts_with("type ") || line.starts_with("comment \"") ||
                                              line.starts_with("policy ")))) {
      rule.append(rule.empty() ? "" : " ").append(line);
      if (const auto handle = handle_of(line)) {
        rule.resize(rule.rfind(kHandle));
        texts[{family, table, handle}] = std::exchange(rule, "");
      }
    }
  }
  return texts;
}

RuleTexts rule_texts() try {
  Nftables nft(NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS);
  nft.run("list ruleset");
  return parse_texts(nft.output());
} catch (const sys::Unavailable&) {
  return {};
}

}  // namespace lab::nft
