#include "system/nftables/dump.hpp"

#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>

#include <map>
#include <memory>

#include "system/nftables/netfilter.hpp"
#include "system/error.hpp"

namespace lab::nft {
namespace {

std::string hook_name(std::uint32_t family, std::uint32_t hook) {
  static const char* const kInet[] = {"prerouting", "input", "forward", "output", "postrouting", "ingress"};
  if (family == NFPROTO_NETDEV) return hook == NF_NETDEV_INGRESS ? "ingress" : "egress";
  return hook < std::size(kInet) ? kInet[hook] : "";
}

std::string text(const char* from) { return from ? from : ""; }

// A dump that a change tore is asked for again; three times is a busy namespace, and the last answer does.
template <class Each>
void dump(sys::Netlink& socket, std::uint16_t type, const char* object, const std::function<void()>& restart,
          const Each& each) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    restart();
    sys::Message message(static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP, 256);
    message.fixed<nfgenmsg>().nfgen_family = AF_UNSPEC;
    if (socket.request(message, object, each)) return;
  }
}

std::string comment_of(const nftnl_rule* rule) {
  std::uint32_t length = 0;
  const auto* data = static_cast<const unsigned char*>(nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &length));
  // Entries of type, length, value: struct nftnl_udata.
  for (std::uint32_t at = 0; data && at + 2 <= length; at += 2u + data[at + 1])
    if (data[at] == NFTNL_UDATA_RULE_COMMENT && at + 2 + data[at + 1] <= length && data[at + 1] > 0)
      return std::string(reinterpret_cast<const char*>(data + at + 2), data[at + 1] - 1u);
  return "";
}

std::string verdict_name(std::uint32_t verdict) {
  switch (static_cast<int>(verdict)) {
    case NF_DROP:
      return "drop";
    case NF_ACCEPT:
      return "accept";
    case NFT_JUMP:
      return "jump";
    case NFT_GOTO:
      return "goto";
    case NFT_RETURN:
      return "return";
    default:
      return "";
  }
}

std::string action_of(const nftnl_expr* expression, const std::string& name) {
  if (name == "immediate")
    return nftnl_expr_is_set(expression, NFTNL_EXPR_IMM_VERDICT)
               ? verdict_name(nftnl_expr_get_u32(expression, NFTNL_EXPR_IMM_VERDICT))
               : "";
  if (name == "nat") return nftnl_expr_get_u32(expression, NFTNL_EXPR_NAT_TYPE) == NFT_NAT_DNAT ? "dnat" : "snat";
  static const std::map<std::string, std::string> same = {
      {"reject", "reject"}, {"masq", "masquerade"},   {"redir", "redirect"},  {"queue", "queue"},
      {"tproxy", "tproxy"}, {"synproxy", "synproxy"}, {"notrack", "notrack"}, {"log", "log"}};
  const auto at = same.find(name);
  return at == same.end() ? "" : at->second;
}

int visit(nftnl_expr* expression, void* to) {
  auto& rule = *static_cast<KernelRule*>(to);
  const auto name = text(nftnl_expr_get_str(expression, NFTNL_EXPR_NAME));
  if (name == "counter") {
    rule.counted = true;
    rule.packets = nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS);
    rule.bytes = nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_BYTES);
  } else if (name == "lookup") {
    rule.looks_in.push_back(text(nftnl_expr_get_str(expression, NFTNL_EXPR_LOOKUP_SET)));
  } else if (name == "dynset") {
    rule.fills.push_back(text(nftnl_expr_get_str(expression, NFTNL_EXPR_DYNSET_SET_NAME)));
  }
  if (auto action = action_of(expression, name); !action.empty()) rule.action = std::move(action);
  return 0;
}

template <class Object>
Object* need(Object* object) {
  if (!object) throw sys::LabError("libnftnl: no memory for a dump");
  return object;
}

}  // namespace

std::string family_name(std::uint32_t family) {
  static const std::map<std::uint32_t, std::string> names = {{NFPROTO_INET, "inet"},     {NFPROTO_IPV4, "ip"},
                                                             {NFPROTO_IPV6, "ip6"},      {NFPROTO_ARP, "arp"},
                                                             {NFPROTO_BRIDGE, "bridge"}, {NFPROTO_NETDEV, "netdev"}};
  const auto at = names.find(family);
  return at == names.end() ? std::to_string(family) : at->second;
}

KernelRule rule_of(const nlmsghdr& message) {
  const std::unique_ptr<nftnl_rule, void (*)(const nftnl_rule*)> rule(need(nftnl_rule_alloc()), nftnl_rule_free);
  if (nftnl_rule_nlmsg_parse(&message, rule.get()) < 0) return {};
  KernelRule found{.family = family_name(nftnl_rule_get_u32(rule.get(), NFTNL_RULE_FAMILY)),
                   .table = text(nftnl_rule_get_str(rule.get(), NFTNL_RULE_TABLE)),
                   .chain = text(nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN)),
                   .handle = nftnl_rule_get_u64(rule.get(), NFTNL_RULE_HANDLE),
                   .comment = comment_of(rule.get())};
  nftnl_expr_foreach(rule.get(), visit, &found);
  if (found.action.empty() && found.counted) found.action = "count";
  return found;
}

std::vector<KernelRule> dump_rules(sys::Netlink& socket) {
  std::vector<KernelRule> all;
  dump(
      socket, NFT_MSG_GETRULE, "dump of nftables rules", [&] { all.clear(); },
      [&](const nlmsghdr& message) {
        if (auto rule = rule_of(message); rule.handle) all.push_back(std::move(rule));
      });
  return all;
}

std::vector<KernelChain> dump_chains(sys::Netlink& socket) {
  std::vector<KernelChain> all;
  dump(
      socket, NFT_MSG_GETCHAIN, "dump of nftables chains", [&] { all.clear(); },
      [&](const nlmsghdr& message) {
        const std::unique_ptr<nftnl_chain, void (*)(const nftnl_chain*)> chain(need(nftnl_chain_alloc()),
                                                                               nftnl_chain_free);
        if (nftnl_chain_nlmsg_parse(&message, chain.get()) < 0) return;
        const auto family = nftnl_chain_get_u32(chain.get(), NFTNL_CHAIN_FAMILY);
        all.push_back({family_name(family), text(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_TABLE)),
                       text(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_NAME)),
                       nftnl_chain_is_set(chain.get(), NFTNL_CHAIN_HOOKNUM)
                           ? hook_name(family, nftnl_chain_get_u32(chain.get(), NFTNL_CHAIN_HOOKNUM))
                           : "",
                       nftnl_chain_is_set(chain.get(), NFTNL_CHAIN_POLICY)
                           ? verdict_name(nftnl_chain_get_u32(chain.get(), NFTNL_CHAIN_POLICY))
                           : ""});
      });
  return all;
}

std::vector<KernelSet> dump_sets(sys::Netlink& socket) {
  std::vector<KernelSet> all;
  dump(
      socket, NFT_MSG_GETSET, "dump of nftables sets", [&] { all.clear(); },
      [&](const nlmsghdr& message) {
        const std::unique_ptr<nftnl_set, void (*)(const nftnl_set*)> set(need(nftnl_set_alloc()), nftnl_set_free);
        if (nftnl_set_nlmsg_parse(&message, set.get()) < 0) return;
        all.push_back({family_name(nftnl_set_get_u32(set.get(), NFTNL_SET_FAMILY)),
                       text(nftnl_set_get_str(set.get(), NFTNL_SET_TABLE)),
                       text(nftnl_set_get_str(set.get(), NFTNL_SET_NAME))});
      });
  return all;
}

}  // namespace lab::nft
