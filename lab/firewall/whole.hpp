// Whole rulesets in nft syntax, through libnftables (loaded when first needed: 1 ms).
#pragma once

#include <string>

#include "firewall/compiler.hpp"

namespace lab::firewall {

struct Loaded {
  bool ok = false;
  std::string messages;   // libnftables' own, their place turned into that of `file` (first line `line`)
};
// Loads `text` into the calling thread's network namespace, with `$server_port`, `$server_address` and
// `$client_address` defined. `include` sees what the calling process may read. Never throws for a bad ruleset.
Loaded load(const std::string& text, const Flow& flow, const std::string& file, std::uint32_t line = 1);
// Syntax only (nft -c needs a namespace to check against; the caller gives one): for lab check.
Loaded check(const std::string& text, const Flow& flow, const std::string& file, std::uint32_t line = 1);
// `nft list ruleset` of the calling thread's network namespace.
std::string list_ruleset();
// Puts `meta nftrace set 1` in front of what a whole ruleset's base chains see, for first segments, retransmissions
// and a bounded rate: a table of the lab's own, owner flag set. Returns how many packets a second at most.
class Tracing;

}  // namespace lab::firewall
