// The firewall/ rows of the table.
#include "verdict/firewall.hpp"

namespace lab::verdict {

using namespace firewall;

std::span<const Cause> firewall_causes() {
  static const std::vector<Cause> all = {
      {"firewall/drop",
       "a rule or a chain's policy ate segments after the handshake",
       find_drop,
       no_drop,
       {"nft list ruleset: counters of drop rules and policies that move while the connection hangs",
        "nft add rule … meta nftrace set 1 in a prerouting and an output chain of your own; nft monitor trace",
        "Is there a rule that accepts established flows (ct state established,related accept) ahead of it?",
        "nstat -az | grep Retrans on the sender; ss -tnoi shows the timer and its back-off"}},
      {"firewall/reject-reset",
       "a rule answered segments with a reset after the handshake",
       find_reject_reset,
       no_reject_reset,
       {"nstat -az TcpOutRsts on both ends: unchanged although a reset was seen means that no TCP built it",
        "nft list ruleset | grep 'reject with tcp reset', and middleboxes between the two: compare the reset's TTL "
        "with the flow's"}},
      {"firewall/reject-icmp",
       "a rule refused segments with ICMP after the handshake",
       find_reject_icmp,
       no_reject_icmp,
       {"tcpdump -ni any 'icmp[0]==3 or icmp6[0]==1' shows who refuses",
        "An established connection hangs on it: put ct state established accept ahead of the reject"}},
      {"firewall/nat-lost",
       "address translation of a live flow vanished",
       find_nat_lost,
       nullptr,
       {"conntrack -L -p tcp --dport PORT, and conntrack -E while it happens: a DESTROY of a live flow",
        "Who reloads rules or flushes conntrack: docker, firewalld, keepalived; sysctl "
        "net.netfilter.nf_conntrack_tcp_timeout_established"}},
      {"firewall/mangled",
       "a rule rewrote what TCP relies on",
       find_mangled,
       nullptr,
       {"nft list ruleset | grep -E ' set |reset tcp option'; iptables -t mangle -S",
        "nstat -az TcpInCsumErrors TcpInErrs; compare a capture on both ends segment by segment"}},
  };
  return all;
}

}  // namespace lab::verdict
