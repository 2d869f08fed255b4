// Policies, connection tracking and sysctls.
#include <netinet/in.h>
// After the libc's own.
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/xfrm.h>

#include <algorithm>

#include "actors/operator_kernel.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/netlink.hpp"

namespace lab::actors {
namespace {

// Loopback's own switches (net/ipv4/devinet.c: set for every loopback device). IPv6 has only the inward one.
constexpr const char* kExemptions[] = {"net.ipv4.conf.lo.disable_policy", "net.ipv4.conf.lo.disable_xfrm",
                                       "net.ipv6.conf.lo.disable_policy"};

void block(sys::Netlink& netlink, int family, bool in) {
  sys::Message message(XFRM_MSG_NEWPOLICY, NLM_F_CREATE | NLM_F_EXCL);
  auto& policy = message.fixed<xfrm_userpolicy_info>();
  policy.sel.family = static_cast<std::uint16_t>(family);
  policy.lft.soft_byte_limit = policy.lft.hard_byte_limit = XFRM_INF;
  policy.lft.soft_packet_limit = policy.lft.hard_packet_limit = XFRM_INF;
  policy.dir = in ? XFRM_POLICY_IN : XFRM_POLICY_OUT;
  policy.action = XFRM_POLICY_BLOCK;
  netlink.request(message, std::string("ipsec policy that blocks ") + (in ? "in" : "out"));
}

}  // namespace

void block_by_policy(bool in) {
  for (const auto* key : kExemptions) set_sysctl(key, "0");
  sys::Netlink netlink(NETLINK_XFRM);
  block(netlink, AF_INET, in);
  block(netlink, AF_INET6, in);
}

// A delete without a tuple deletes all of the namespace (net/netfilter/nf_conntrack_netlink.c).
void flush_conntrack() {
  sys::Message message(NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE);
  message.fixed<nfgenmsg>().version = NFNETLINK_V0;
  sys::Netlink(NETLINK_NETFILTER).request(message, "tracked connections");
}

void set_sysctl(const std::string& key, const std::string& value) {
  if (!key.starts_with("net.") || key.find('/') != std::string::npos || key.find("..") != std::string::npos)
    throw sys::LabError("sysctl " + key + ": not one of net.*");
  auto path = key;
  std::replace(path.begin(), path.end(), '.', '/');
  sys::write_file("/proc/sys/" + path, value);
}

}  // namespace lab::actors
