// Rules' texts by handle, through libnftables.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

namespace lab::nft {

// By family, table and handle.
using RuleTexts = std::map<std::tuple<std::string, std::string, std::uint64_t>, std::string>;

// Of every rule of the calling thread's network namespace; none where libnftables is missing.
RuleTexts rule_texts();
// From what `nft --handle list ruleset` printed.
RuleTexts parse_texts(const std::string& listing);

}  // namespace lab::nft
