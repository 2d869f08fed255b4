// The kernel/ rows of the table.
#include "verdict/kernel.hpp"

namespace lab::verdict {

using namespace kernel;

std::span<const Cause> kernel_causes() {
  static const std::vector<Cause> all = {
      {"kernel/socket-destroyed",
       "an administrator destroyed the socket (ss -K)",
       find_destroyed,
       no_destroyed,
       {"The own side sees ECONNABORTED: no other cause gives it after accept",
        "Who calls ss -K or sock_diag destroy: network managers on address change, container runtimes, DNS and VPN "
        "agents"}},
      {"kernel/socket-expired",
       "an end's socket vanished without a word and the next segment was answered with a reset",
       find_expired,
       nullptr,
       {"sysctl net.ipv4.tcp_fin_timeout net.ipv4.tcp_orphan_retries; TCP_USER_TIMEOUT in the program",
        "ss -tan state fin-wait-2, and nstat -az TcpExtTCPAbortOnTimeout TcpExtTCPAbortFailed"}},
      {"kernel/route",
       "the route went away under a live connection",
       find_route,
       no_route,
       {"ip route get ADDRESS; ip -ts monitor route while it happens",
        "nstat -az IpOutNoRoutes Ip6OutNoRoutes; who changes routes: VPN clients, routing daemons, DHCP"}},
      {"kernel/link-down",
       "a link went down under a live connection",
       find_link,
       no_link,
       {"ip -s link; ip -ts monitor link; journalctl -k | grep -i 'link'",
        "bonding, bridges and veth pairs: the other half may be down"}},
      {"kernel/address-removed",
       "an address of the connection was removed",
       find_address,
       no_address,
       {"ip -ts monitor address; journalctl -u NetworkManager -u systemd-networkd",
        "A lease that was not renewed, a failover of a floating address (keepalived, pacemaker)"}},
      {"kernel/bpf",
       "an XDP, tc, cgroup or sockmap program ate segments",
       find_bpf,
       no_bpf,
       {"bpftool net; bpftool cgroup tree; ip link shows xdp; tc filter show dev DEV ingress",
        "perf trace -e skb:kfree_skb, or dropwatch: the reason names the hook"}},
      {"kernel/ipsec-policy",
       "an xfrm policy ate segments",
       find_ipsec,
       no_ipsec,
       {"ip xfrm policy; ip xfrm monitor; cat /proc/net/xfrm_stat",
        "Is there a state for the policy: ip xfrm state; the IKE daemon's log"}},
      {"kernel/tcp-option",
       "MD5, minimum TTL or their like ate segments",
       find_option,
       no_option,
       {"nstat -az | grep -E 'MD5|MinTTL|TCPAO'",
        "BGP and its like: both ends need the same key, and ttl-security the same number of hops"}},
  };
  return all;
}

}  // namespace lab::verdict
