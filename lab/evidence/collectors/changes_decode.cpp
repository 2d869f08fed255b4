#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>

#include "evidence/collectors/attributes.hpp"
#include "evidence/collectors/changes.hpp"
#include "system/nftables/dump.hpp"
#include "system/nftables/netfilter.hpp"

namespace lab::evidence {
namespace {

std::string text(const nlattr& attribute, int family) {
  char buffer[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, mnl_attr_get_payload(&attribute), buffer, sizeof buffer);
  return buffer;
}

std::string device(int index) {
  char name[IF_NAMESIZE] = "";
  return ::if_indextoname(static_cast<unsigned>(index), name) ? name : fmt::format("device {}", index);
}

template <class Fixed>
const Fixed& fixed(const nlmsghdr& message) {
  return *static_cast<const Fixed*>(mnl_nlmsg_get_payload(&message));
}

std::string route_type(std::uint8_t type) {
  switch (type) {
    case RTN_UNICAST:
      return "unicast";
    case RTN_BLACKHOLE:
      return "blackhole";
    case RTN_UNREACHABLE:
      return "unreachable";
    case RTN_PROHIBIT:
      return "prohibit";
    default:
      return "";
  }
}

std::string xfrm_address(const xfrm_address_t& address, std::uint8_t prefix, std::uint16_t family) {
  char buffer[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(family, &address, buffer, sizeof buffer);
  return fmt::format("{}/{}", buffer, prefix);
}

}  // namespace

Change link_change(const nlmsghdr& message) {
  const auto& info = fixed<ifinfomsg>(message);
  const bool up = message.nlmsg_type == RTM_NEWLINK && (info.ifi_flags & IFF_UP);
  Change change{.kind = up ? "link-up" : "link-down"};
  each_attribute(message, sizeof info, [&](const nlattr& attribute) {
    if (mnl_attr_get_type(&attribute) == IFLA_IFNAME) change.object = mnl_attr_get_str(&attribute);
  });
  return change;
}

std::string program_on(const nlmsghdr& message) {
  bool attached = false;
  std::uint32_t number = 0;
  each_attribute(message, sizeof(ifinfomsg), [&](const nlattr& attribute) {
    if (mnl_attr_get_type(&attribute) != IFLA_XDP) return;
    each_nested(attribute, [&](const nlattr& one) {
      const auto length = mnl_attr_get_payload_len(&one);
      if (mnl_attr_get_type(&one) == IFLA_XDP_ATTACHED && length >= 1)
        attached = mnl_attr_get_u8(&one) != XDP_ATTACHED_NONE;
      if (mnl_attr_get_type(&one) == IFLA_XDP_PROG_ID && length >= 4) number = mnl_attr_get_u32(&one);
    });
  });
  if (!attached) return "";
  return number ? fmt::format("xdp program {}", number) : "xdp";
}

Change address_change(const nlmsghdr& message) {
  const auto& info = fixed<ifaddrmsg>(message);
  Change change{.kind = message.nlmsg_type == RTM_NEWADDR ? "address-added" : "address-deleted"};
  each_attribute(message, sizeof info, [&](const nlattr& attribute) {
    const auto type = mnl_attr_get_type(&attribute);
    if (type == IFA_LOCAL || (type == IFA_ADDRESS && change.object.empty()))
      change.object = fmt::format("{}/{}", text(attribute, info.ifa_family), info.ifa_prefixlen);
    if (type == IFA_LABEL) change.detail = mnl_attr_get_str(&attribute);
  });
  return change;
}

Change route_change(const nlmsghdr& message) {
  const auto& info = fixed<rtmsg>(message);
  const auto type = route_type(info.rtm_type);
  if (type.empty() || info.rtm_flags & RTM_F_CLONED) return {};
  std::string target = "default", through;
  each_attribute(message, sizeof info, [&](const nlattr& attribute) {
    switch (mnl_attr_get_type(&attribute)) {
      case RTA_DST:
        target = fmt::format("{}/{}", text(attribute, info.rtm_family), info.rtm_dst_len);
        break;
      case RTA_OIF:
        through = fmt::format("dev {}", device(static_cast<int>(mnl_attr_get_u32(&attribute))));
        break;
      default:
        break;
    }
  });
  return {.kind = message.nlmsg_type == RTM_NEWROUTE ? "route-added" : "route-deleted",
          .object = fmt::format("{} {}", type, target),
          .detail = through};
}

Change rule_change(const nlmsghdr& message) {
  const auto type = NFNL_MSG_TYPE(message.nlmsg_type);
  const auto named = [&](const char* kind) {
    const auto rule = nft::rule_of(message);
    return Change{.kind = kind,
                  .object = rule.comment,
                  .detail = fmt::format("{} {} {}", rule.family, rule.table, rule.chain),
                  .handle = rule.handle};
  };
  switch (type) {
    case NFT_MSG_NEWRULE:
      return named("rule-added");
    case NFT_MSG_DELRULE:
      return named("rule-deleted");
    case NFT_MSG_DELTABLE:
      return {.kind = "table-deleted"};
    default:
      return {};
  }
}

Change policy_change(const nlmsghdr& message) {
  static constexpr const char* directions[] = {"in", "out", "fwd"};
  if (message.nlmsg_type != XFRM_MSG_NEWPOLICY && message.nlmsg_type != XFRM_MSG_UPDPOLICY)
    return {.kind = message.nlmsg_type == XFRM_MSG_DELPOLICY || message.nlmsg_type == XFRM_MSG_FLUSHPOLICY
                        ? "xfrm-policy-deleted"
                        : ""};
  const auto& policy = fixed<xfrm_userpolicy_info>(message);
  const auto family = policy.sel.family ? policy.sel.family : std::uint16_t{AF_INET};
  return {.kind = "xfrm-policy-added",
          .object = fmt::format(
              "src {} dst {} dir {} action {}", xfrm_address(policy.sel.saddr, policy.sel.prefixlen_s, family),
              xfrm_address(policy.sel.daddr, policy.sel.prefixlen_d, family),
              policy.dir < 3 ? directions[policy.dir] : "", policy.action == XFRM_POLICY_BLOCK ? "block" : "allow")};
}

}  // namespace lab::evidence
