// What the rules of a namespace are called and say, also of those that are gone: joined to trace messages by handle.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "evidence/event.hpp"
#include "system/nftables/dump.hpp"

namespace lab::evidence {

class Rulebook {
 public:
  // A notification of NFNLGRP_NFTABLES: rules that come and go during the run are remembered.
  void see(const nlmsghdr& message);
  // What the kernel holds now. Texts come from libnftables, loaded only where there is a rule at all.
  void read(sys::Netlink& socket);

  // Fills in what the message itself doesn't say: the rule's comment, text and last statement, the base chain's hook.
  void join(TraceHit& hit) const;
  std::string hook_of(const std::string& family, const std::string& table, const std::string& chain) const;
  // Every rule with its counter, and every base chain's policy, as they were read last.
  std::vector<RuleState> states(const std::string& netns, const std::string& when) const;

 private:
  using Key = std::tuple<std::string, std::string, std::uint64_t>;  // family, table, handle
  using Chain = std::tuple<std::string, std::string, std::string>;

  std::map<Key, nft::KernelRule> known_;
  std::map<Key, std::string> texts_;
  std::vector<nft::KernelRule> held_;
  std::map<Chain, nft::KernelChain> chains_;
};

}  // namespace lab::evidence
