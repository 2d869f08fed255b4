#include "evidence/collectors/rulebook.hpp"

#include "system/nftables/netfilter.hpp"
#include "system/nftables/rule_texts.hpp"

namespace lab::evidence {

void Rulebook::see(const nlmsghdr& message) {
  const auto type = message.nlmsg_type & 0xff;
  if (type != NFT_MSG_NEWRULE && type != NFT_MSG_DELRULE) return;
  if (auto rule = nft::rule_of(message); rule.handle)
    known_.insert_or_assign({rule.family, rule.table, rule.handle}, rule);
}

void Rulebook::read(sys::Netlink& socket) {
  held_ = nft::dump_rules(socket);
  for (const auto& rule : held_) known_.insert_or_assign({rule.family, rule.table, rule.handle}, rule);
  for (auto& chain : nft::dump_chains(socket)) chains_.insert_or_assign({chain.family, chain.table, chain.name}, chain);
  if (!held_.empty())
    for (auto& [key, text] : nft::rule_texts()) texts_.insert_or_assign(key, text);
}

std::string Rulebook::hook_of(const std::string& family, const std::string& table, const std::string& chain) const {
  const auto at = chains_.find({family, table, chain});
  return at == chains_.end() ? std::string() : at->second.hook;
}

void Rulebook::join(TraceHit& hit) const {
  if (hit.hook.empty()) hit.hook = hook_of(hit.family, hit.table, hit.chain);
  const Key key{hit.family, hit.table, hit.handle};
  if (const auto rule = known_.find(key); rule != known_.end()) {
    hit.name = rule->second.comment;
    hit.action = rule->second.action;
  }
  if (const auto text = texts_.find(key); text != texts_.end()) hit.text = text->second;
}

std::vector<RuleState> Rulebook::states(const std::string& netns, const std::string& when) const {
  std::vector<RuleState> states;
  for (const auto& rule : held_) {
    if (rule.table == nft::kTracingTable) continue;
    const auto text = texts_.find({rule.family, rule.table, rule.handle});
    states.push_back({.netns = netns,
                      .family = rule.family,
                      .table = rule.table,
                      .chain = rule.chain,
                      .hook = hook_of(rule.family, rule.table, rule.chain),
                      .handle = rule.handle,
                      .name = rule.comment,
                      .text = text == texts_.end() ? "" : text->second,
                      .action = rule.action,
                      .counted = rule.counted,
                      .packets = rule.packets,
                      .bytes = rule.bytes,
                      .when = when});
  }
  for (const auto& [key, chain] : chains_)
    if (!chain.policy.empty() && chain.table != nft::kTracingTable)
      states.push_back({.netns = netns,
                        .family = chain.family,
                        .table = chain.table,
                        .chain = chain.name,
                        .hook = chain.hook,
                        .text = "policy " + chain.policy,
                        .action = chain.policy,
                        .when = when});
  return states;
}

}  // namespace lab::evidence
