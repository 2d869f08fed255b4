#include "firewall/messages.hpp"

#include <endian.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>

#include "firewall/bytecode.hpp"
#include "firewall/compiler.hpp"
#include "firewall/netfilter.hpp"

namespace lab::firewall {

void put_table(Batch& batch) {
  batch.put(NFT_MSG_NEWTABLE, NLM_F_CREATE, Batch::kNowhere, [](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_TABLE_NAME, kTable);
    mnl_attr_put_u32(message, NFTA_TABLE_FLAGS, htonl(NFT_TABLE_F_OWNER));
  });
}

void put_delete_table(Batch& batch) {
  batch.put(NFT_MSG_DELTABLE, 0, Batch::kNowhere,
            [](nlmsghdr* message) { mnl_attr_put_strz(message, NFTA_TABLE_NAME, kTable); });
}

void put_chain(Batch& batch, const Chain& chain) {
  batch.put(NFT_MSG_NEWCHAIN, NLM_F_CREATE, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, kTable);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain.name.c_str());
    mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
    mnl_attr_put_u32(message, NFTA_CHAIN_POLICY, htonl(NF_ACCEPT));
    auto* hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
    // enum nf_inet_hooks and scenario::Hook have one order.
    mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(static_cast<std::uint32_t>(chain.hook)));
    mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl(static_cast<std::uint32_t>(chain.priority)));
    mnl_attr_nest_end(message, hook);
  });
}

void put_set(Batch& batch, const Set& set, std::uint32_t& set_id) {
  const auto object = to_set(set, ++set_id);
  batch.put(NFT_MSG_NEWSET, NLM_F_CREATE, Batch::kNowhere,
            [&](nlmsghdr* message) { nftnl_set_nlmsg_build_payload(message, object.get()); });
}

void put_line(Batch& batch, const Line& line, std::uint32_t& set_id) {
  if (const auto set = anonymous(line, set_id + 1)) {
    ++set_id;
    batch.put(NFT_MSG_NEWSET, NLM_F_CREATE, line.rule,
              [&](nlmsghdr* message) { nftnl_set_nlmsg_build_payload(message, set.get()); });
    batch.put(NFT_MSG_NEWSETELEM, NLM_F_CREATE, line.rule,
              [&](nlmsghdr* message) { nftnl_set_elems_nlmsg_build_payload(message, set.get()); });
  }
  const auto rule = to_rule(line, set_id);
  const auto flags = static_cast<std::uint16_t>(NLM_F_CREATE | (line.at_head ? 0 : NLM_F_APPEND));
  batch.put(NFT_MSG_NEWRULE, flags, line.rule,
            [&](nlmsghdr* message) { nftnl_rule_nlmsg_build_payload(message, rule.get()); });
}

std::size_t at_most(const Line& line) { return 1600 + 160 * line.statements.size(); }

void put_delete_rule(Batch& batch, const KernelRule& rule) {
  batch.put(NFT_MSG_DELRULE, 0, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_RULE_TABLE, kTable);
    mnl_attr_put_strz(message, NFTA_RULE_CHAIN, rule.chain.c_str());
    mnl_attr_put_u64(message, NFTA_RULE_HANDLE, htobe64(rule.handle));
  });
}

void put_delete_set(Batch& batch, const std::string& name) {
  batch.put(NFT_MSG_DELSET, 0, Batch::kNowhere, [&](nlmsghdr* message) {
    mnl_attr_put_strz(message, NFTA_SET_TABLE, kTable);
    mnl_attr_put_strz(message, NFTA_SET_NAME, name.c_str());
  });
}

}  // namespace lab::firewall
