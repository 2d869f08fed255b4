// Statements as the kernel's expressions, the way nft makes them: proven equal to `nft --debug=netlink` by the tests.
#pragma once

#include <cstdint>
#include <memory>

#include "firewall/statement.hpp"

struct nftnl_rule;
struct nftnl_set;

namespace lab::firewall {

struct FreeRule {
  void operator()(nftnl_rule* rule) const;
};
struct FreeSet {
  void operator()(nftnl_set* set) const;
};
using RuleObject = std::unique_ptr<nftnl_rule, FreeRule>;
using SetObject = std::unique_ptr<nftnl_set, FreeSet>;

// The rule, ready for its message. An anonymous set that it needs goes by `set_id` within the batch: see anonymous().
RuleObject to_rule(const Line& line, std::uint32_t set_id);
// Every set has a number of its own within a batch.
// The anonymous set of a line with nft::Either, with its elements; null for any other line.
SetObject anonymous(const Line& line, std::uint32_t set_id);
SetObject to_set(const Set& set, std::uint32_t set_id);

}  // namespace lab::firewall
