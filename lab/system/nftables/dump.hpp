// What the kernel holds, read over netlink: rules, chains, sets of the namespace that the socket was opened in.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "system/netlink.hpp"

namespace lab::nft {

// The table in which the lab itself decides what is traced: no rule of anybody's firewall.
inline constexpr const char* kTracingTable = "lab-trace";

struct KernelRule {
  std::string family, table, chain;  // "inet", "ip", "ip6", "bridge", "netdev", "arp"
  std::uint64_t handle = 0;
  std::string comment;
  std::string action;  // of the last statement: "drop", "reject", "accept", "jump", "dnat", …; "count"; "" none
  bool counted = false;
  std::uint64_t packets = 0, bytes = 0;
  std::vector<std::string> looks_in;  // sets that it looks up
  std::vector<std::string> fills;     // sets that it changes
};
struct KernelChain {
  std::string family, table, name;
  std::string hook;    // "" for a chain that is only jumped to
  std::string policy;  // "accept" or "drop"; "" without a hook
};
struct KernelSet {
  std::string family, table, name;
};

std::string family_name(std::uint32_t nfproto);  // "inet", "ip", …

// Of a message of the kernel's about a rule (an answer, or a notification of its addition or deletion). Handle 0: none.
KernelRule rule_of(const nlmsghdr& message);

// In the kernel's order: table by table, chain by chain, each chain's rules as they are met.
std::vector<KernelRule> dump_rules(sys::Netlink& socket);
std::vector<KernelChain> dump_chains(sys::Netlink& socket);
std::vector<KernelSet> dump_sets(sys::Netlink& socket);

}  // namespace lab::nft
