#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "sandbox/addresses.hpp"
#include "sandbox/links.hpp"
#include "sandbox/mounts.hpp"
#include "sandbox/sandbox.hpp"
#include "sandbox/sysctl.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::sandbox {
namespace {

using scenario::Family;
using sys::check;

constexpr const char* kOwnNet = "/proc/thread-self/ns/net";
// What Ethernet has; a routed link's own mtu.
constexpr std::uint32_t kEthernet = 1500;
constexpr std::uint32_t kSmallest4 = 68, kSmallest6 = 1280;

sys::Descriptor this_netns() { return sys::open_file(kOwnNet, O_RDONLY); }

void enter(int netns) { check(::setns(netns, CLONE_NEWNET), "enter network namespace"); }

// Since 6.1 a network namespace can have a table of connections of its own, as large as its parent says. In the
// machine's, of several hundred thousand buckets, each dump of the sockets of one namespace takes milliseconds. What
// the kernel derives from the table's size (tcp_set_hashinfo) is put back to what it was.
void unshare_net(const std::string& what) {
  constexpr const char* kEntries = "net.ipv4.tcp_child_ehash_entries";
  constexpr const char* kDerived[] = {"net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_max_tw_buckets"};
  const bool own_table = has_sysctl(kEntries);
  std::vector<std::string> before;
  if (own_table) {
    for (const auto* key : kDerived) before.push_back(get_sysctl(key));
    set_sysctl(kEntries, "4096");
  }
  check(::unshare(CLONE_NEWNET), what);
  for (std::size_t i = 0; i < before.size(); ++i) set_sysctl(kDerived[i], before[i]);
}

Netns make_netns(const char* name) {
  unshare_net(std::string("network namespace ") + name);
  return {name, this_netns()};
}

// The prefix length of the addresses in addresses.hpp.
unsigned prefix_of(Family family) { return family == Family::ipv4 ? 24 : 64; }
const char* network_of(Family family, bool clients) {
  if (family == Family::ipv4) return clients ? "192.0.2.0" : "198.51.100.0";
  return clients ? "2001:db8:1::" : "2001:db8:2::";
}

void check_mtu(const scenario::Network& network) {
  const auto smallest = network.family == Family::ipv6 ? kSmallest6 : kSmallest4;
  if (network.mtu && *network.mtu < smallest)
    throw sys::LabError("mtu " + std::to_string(*network.mtu) + ": the family's smallest is " +
                        std::to_string(smallest));
}

// No index occurs twice: a link whose own index equals its other end's is taken for one without another end, and
// switched on up to a second late (linkwatch_urgent_event).
const Device kClient0{"client0", 2}, kRouter0{"router0", 3}, kRouter1{"router1", 4}, kServer0{"server0", 5};

// A router that forwards asks for its IPv6 neighbours from its link-local address, and not at all without one
// (ndisc_ns_create).
constexpr const char* kLinkLocal = "fe80::1";
constexpr unsigned kLinkLocalPrefix = 64;

// Nothing of IPv6 on the links of an IPv4 run; no automatic link-local addresses else, which would bring router
// solicitations and multicast reports into every capture (addr_gen_mode 1: none).
void quieten(Family family, const std::string& device) {
  const auto ipv6 = "net/ipv6/conf/" + device;
  if (family == Family::ipv6)
    set_sysctl(ipv6 + "/addr_gen_mode", "1");
  else if (has_sysctl(ipv6 + "/disable_ipv6"))
    set_sysctl(ipv6 + "/disable_ipv6", "1");
}

// The thread is in the device's namespace.
void furnish_link(Links& links, const scenario::Network& network, const Device& device, const char* address) {
  if (network.mtu) links.set_mtu(device, std::max(*network.mtu, kEthernet));
  quieten(network.family, device.name);
  links.up(device);
  links.add_address(device, address, prefix_of(network.family));
}

void furnish_router(Links& links, const scenario::Network& network, const Ends& at) {
  links.up(kLoopback);
  furnish_link(links, network, kRouter0, at.router_to_client);
  furnish_link(links, network, kRouter1, at.router_to_server);
  if (network.mtu && *network.mtu < kEthernet) {
    const auto prefix = prefix_of(network.family);
    links.limit_route(kRouter0, network_of(network.family, true), prefix, *network.mtu);
    links.limit_route(kRouter1, network_of(network.family, false), prefix, *network.mtu);
  }
  const bool v4 = network.family == Family::ipv4;
  set_sysctl(v4 ? "net.ipv4.ip_forward" : "net.ipv6.conf.all.forwarding", "1");
  if (v4) return;
  links.add_address(kRouter0, kLinkLocal, kLinkLocalPrefix);
  links.add_address(kRouter1, kLinkLocal, kLinkLocalPrefix);
}

// A cold cache would repeat the first segments: the handshake's last ACK among them, which rules may take for data.
void introduce(Links& client, Links& router, Links& server, const Ends& at) {
  client.know_neighbour(kClient0, at.router_to_client, kRouter0);
  router.know_neighbour(kRouter0, at.client, kClient0);
  router.know_neighbour(kRouter1, at.server, kServer0);
  server.know_neighbour(kServer0, at.router_to_server, kRouter1);
}

void furnish_end(Links& links, const scenario::Network& network, const Device& device, const char* address,
                 const char* gateway) {
  // A new namespace inherits this from the host's, where container engines switch it on.
  if (network.family == Family::ipv4) set_sysctl("net.ipv4.ip_forward", "0");
  links.up(kLoopback);
  furnish_link(links, network, device, address);
  links.add_default_route(gateway);
}

// The run's own namespace becomes the client's.
std::vector<Netns> route_topology(const scenario::Network& network) {
  const auto at = ends(network.topology, network.family);
  std::vector<Netns> spaces;
  spaces.push_back({kClient, this_netns()});
  Links client;
  spaces.push_back(make_netns(kRouter));
  Links router;
  spaces.push_back(make_netns(kServer));
  Links server;
  router.make_veth(kRouter0, spaces[1].ns.get(), kClient0, spaces[0].ns.get());
  router.make_veth(kRouter1, spaces[1].ns.get(), kServer0, spaces[2].ns.get());
  furnish_end(server, network, kServer0, at.server, at.router_to_server);
  enter(spaces[1].ns.get());
  furnish_router(router, network, at);
  enter(spaces[0].ns.get());
  furnish_end(client, network, kClient0, at.client, at.router_to_client);
  client.await_running(kClient0);
  router.await_running(kRouter0);
  router.await_running(kRouter1);
  server.await_running(kServer0);
  introduce(client, router, server, at);
  if (network.family == Family::ipv4) return spaces;
  client.await_own(at.client);
  for (const auto* address : {at.router_to_client, at.router_to_server}) router.await_own(address);
  server.await_own(at.server);
  return spaces;
}

std::vector<Netns> loopback(const scenario::Network& network) {
  Links links;
  if (network.mtu) links.set_mtu(kLoopback, *network.mtu);
  links.up(kLoopback);
  std::vector<Netns> spaces;
  spaces.push_back({"", this_netns()});
  return spaces;
}

// In every namespace; a key that names a device, where that device is.
void apply_sysctls(const std::vector<Netns>& spaces, const scenario::Network& network) {
  for (const auto& space : spaces) inside(space, [] { set_sysctl("net.ipv4.ip_unprivileged_port_start", "0"); });
  for (const auto& sysctl : network.sysctl) {
    bool known = false;
    for (const auto& space : spaces)
      inside(space, [&] {
        if (!has_sysctl(sysctl.key)) return;
        set_sysctl(sysctl.key, sysctl.value);
        known = true;
      });
    if (!known) throw sys::KernelError(ENOENT, "sysctl " + sysctl.key);
  }
}

}  // namespace

std::vector<Netns> furnish(const Plan& plan) {
  check_mtu(plan.network);
  mount_own_proc_and_tmp(plan.visible);
  unshare_net("network namespace of the run");  // from the one it was born in
  const bool routed = plan.network.topology == scenario::Topology::routed;
  auto spaces = routed ? route_topology(plan.network) : loopback(plan.network);
  if (plan.programs) mount_for_programs();
  if (plan.network.family == Family::ipv6 && ::access("/proc/net/if_inet6", F_OK) == -1)
    throw sys::Unavailable("this kernel has no IPv6; boot without ipv6.disable=1, or run with -4");
  apply_sysctls(spaces, plan.network);
  return spaces;
}

void inside(const Netns& ns, const std::function<void()>& work) {
  struct Back {
    sys::Descriptor home = this_netns();
    // The namespace is this process's own: going back can't fail.
    ~Back() { ::setns(home.get(), CLONE_NEWNET); }
  } back;
  enter(ns.ns.get());
  work();
}

}  // namespace lab::sandbox
