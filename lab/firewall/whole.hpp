// Whole rulesets in nft syntax, through libnftables (loaded when first needed: 1 ms).
#pragma once

#include <string>

#include "firewall/compiler.hpp"

namespace lab::firewall {

struct Loaded {
  bool ok = false;
  std::string messages;  // libnftables' own, their place turned into that of `file` (first line `line`)
};
// Loads `text` into the calling thread's network namespace, with `$server_port`, `$server_address` and
// `$client_address` defined. `include` sees what the calling process may read. Never throws for a bad ruleset.
// Counters begin at zero, whatever counts the text gives them.
Loaded load(const std::string& text, const Flow& flow, const std::string& file, std::uint32_t line = 1);
// `nft list ruleset` of the calling thread's network namespace.
std::string list_ruleset();
// Traces a whole ruleset: a table of the lab's own ("inet lab-trace", owner flag set, gone with this object) sets
// nftrace before the ruleset's chains see a packet, at prerouting and output, at the first priority there is; where the
// ruleset has a chain at ingress, also there, in a table of the netdev family. Make it after load().
//
// Covered, of all TCP segments, those of a proxy to its backend too: SYN, FIN and RST always; of the others the first
// kFlowFirst of each flow and direction and then kFlowRate a second, so that a stalled flow's retransmissions are
// traced though nothing knows that they are such; ICMP at kIcmpRate a second; in all at most kRate segments a second.
// What is left out is counted: account(). No ct statement is used: the first one of a namespace changes what is
// measured.
class Tracing {
 public:
  static constexpr unsigned kFlowFirst = 32, kFlowRate = 10, kIcmpRate = 100,
                            kRate = 2000;         // packets; packets a second
  explicit Tracing(bool more_will_come = false);  // rulesets that are loaded during the run may have any chain
  ~Tracing();
  Tracing(Tracing&&) noexcept;

  struct Account {
    std::uint64_t traced = 0, skipped = 0;
  };
  Account account() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::firewall
