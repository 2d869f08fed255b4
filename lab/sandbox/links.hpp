// Links, addresses and routes of one network namespace, over rtnetlink and the ethtool ioctl. man 7 rtnetlink,
// include/uapi/linux/if_link.h.
#pragma once

#include <cstdint>
#include <string>

#include "scenario/types.hpp"
#include "system/netlink.hpp"

namespace lab::sandbox {

// A device by name, for messages, and by index, for the kernel.
struct Device {
  std::string name;
  int index = 0;
};
inline const Device kLoopback{"lo", 1};  // the first device of every network namespace (LOOPBACK_IFINDEX)

// Acts in the network namespace that it was made in, wherever the thread goes later. Every member throws KernelError
// that names the device or route.
class Links {
 public:
  Links();

  // Both ends with the given indices, in the namespaces of these descriptors. Their hardware addresses follow from the
  // indices.
  void make_veth(const Device& one, int one_netns, const Device& other, int other_netns);
  void up(const Device& device);
  // Until the kernel hands packets down to it: a link whose other end came up later is switched on by a kernel thread,
  // and loses what is sent before.
  void await_running(const Device& device);
  // `address`: numeric; IPv6 without duplicate address detection.
  void add_address(const Device& device, const std::string& address, unsigned prefix);
  // Until packets to this IPv6 address are taken for this machine's own: a kernel thread makes its route, without
  // duplicate address detection too (addrconf_dad_work), and what comes before is forwarded or dropped.
  void await_own(const std::string& address);
  // Everything beyond by way of `gateway`.
  void add_default_route(const std::string& gateway);
  // `neighbour`, which has the address, is at the other end of `device`: the first packet needs no question (ARP,
  // neighbour solicitation) and waits for no answer.
  void know_neighbour(const Device& device, const std::string& address, const Device& neighbour);
  // Packets to this network by way of `device` are of at most `mtu` bytes: larger ones that are forwarded are answered
  // with "fragmentation needed" or "packet too big" (a route's mtu counts before the device's:
  // ip_dst_mtu_maybe_forward).
  void limit_route(const Device& device, const std::string& network, unsigned prefix, std::uint32_t mtu);
  // Packets of `mtu` bytes at most and none larger handed down by TCP either: segmentation offloads off, and one
  // segment to a packet, because with the offloads alone most packets at lo's output hook stay larger.
  void set_mtu(const Device& device, std::uint32_t mtu);

 private:
  sys::Netlink route_;
  sys::Netlink news_;        // new IPv6 routes
  sys::Descriptor control_;  // for ethtool's ioctl
};

}  // namespace lab::sandbox
