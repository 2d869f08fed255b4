#include "sandbox/links.hpp"

#include <arpa/inet.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "system/error.hpp"

namespace lab::sandbox {
namespace {

using sys::check;
using sys::Message;

constexpr std::int64_t kLinkPatience_ns = 5'000'000'000;

struct Numeric {
  int family = AF_INET;
  std::array<unsigned char, 16> bytes{};
  std::size_t size() const { return family == AF_INET ? 4 : 16; }
};

Numeric parse(const std::string& address) {
  Numeric numeric;
  numeric.family = address.find(':') == std::string::npos ? AF_INET : AF_INET6;
  if (::inet_pton(numeric.family, address.c_str(), numeric.bytes.data()) != 1)
    throw sys::LabError(address + ": not a numeric address");
  return numeric;
}

void put(Message& message, std::uint16_t type, const Numeric& address) {
  mnl_attr_put(message.header(), type, address.size(), address.bytes.data());
}

// Locally administered: 02:00:00:00:00:INDEX.
std::array<unsigned char, 6> hardware_address(const Device& device) {
  return {0x02, 0, 0, 0, 0, static_cast<unsigned char>(device.index)};
}

void put_end(Message& message, const Device& device, int netns) {
  message.fixed<ifinfomsg>().ifi_index = device.index;
  mnl_attr_put_strz(message.header(), IFLA_IFNAME, device.name.c_str());
  const auto address = hardware_address(device);
  mnl_attr_put(message.header(), IFLA_ADDRESS, address.size(), address.data());
  mnl_attr_put_u32(message.header(), IFLA_NET_NS_FD, static_cast<std::uint32_t>(netns));
}

Message route_message(const Numeric& gateway_or_network, unsigned prefix, std::uint16_t flags, unsigned char scope) {
  Message message(RTM_NEWROUTE, flags);
  auto& route = message.fixed<rtmsg>();
  route.rtm_family = static_cast<unsigned char>(gateway_or_network.family);
  route.rtm_dst_len = static_cast<unsigned char>(prefix);
  route.rtm_table = RT_TABLE_MAIN;
  route.rtm_type = RTN_UNICAST;
  route.rtm_scope = scope;
  return message;
}

// The old one-value ethtool requests: one ioctl each, known to every kernel.
void switch_off(int socket, const std::string& device, std::uint32_t command, const char* what) {
  ethtool_value off{command, 0};
  ifreq request{};
  std::memcpy(request.ifr_name, device.c_str(), std::min(device.size(), sizeof request.ifr_name - 1));
  request.ifr_data = reinterpret_cast<char*>(&off);
  if (::ioctl(socket, SIOCETHTOOL, &request) == -1 && errno != EOPNOTSUPP)
    throw sys::KernelError(errno, device + ": switch " + what + " off");
}

}  // namespace

Links::Links()
    : route_(NETLINK_ROUTE, {RTNLGRP_LINK}),
      news_(NETLINK_ROUTE, {RTNLGRP_IPV6_ROUTE}),
      control_(check(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket for ethtool")) {}

void Links::make_veth(const Device& one, int one_netns, const Device& other, int other_netns) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  auto* header = message.header();
  put_end(message, one, one_netns);
  auto* info = mnl_attr_nest_start(header, IFLA_LINKINFO);
  mnl_attr_put_strz(header, IFLA_INFO_KIND, "veth");
  auto* data = mnl_attr_nest_start(header, IFLA_INFO_DATA);
  auto* peer = mnl_attr_nest_start(header, VETH_INFO_PEER);
  put_end(message, other, other_netns);
  mnl_attr_nest_end(header, peer);
  mnl_attr_nest_end(header, data);
  mnl_attr_nest_end(header, info);
  route_.request(message, "veth pair " + one.name + ", " + other.name);
}

void Links::up(const Device& device) {
  Message message(RTM_NEWLINK);
  auto& link = message.fixed<ifinfomsg>();
  link.ifi_index = device.index;
  link.ifi_flags = link.ifi_change = IFF_UP;
  route_.request(message, device.name + " up");
}

void Links::await_running(const Device& device) {
  bool running = false;
  const auto look = [&](const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK) return;
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&message));
    if (link->ifi_index == device.index) running = (link->ifi_flags & IFF_RUNNING) != 0;
  };
  const auto deadline = sys::Deadline::after_ns(kLinkPatience_ns);
  Message ask(RTM_GETLINK);
  ask.fixed<ifinfomsg>().ifi_index = device.index;
  route_.request(ask, device.name, look);
  while (!running)
    if (!route_.receive(deadline, look)) throw sys::LabError(device.name + ": the link did not come up");
}

void Links::add_address(const Device& device, const std::string& address, unsigned prefix) {
  const auto numeric = parse(address);
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  auto& fixed = message.fixed<ifaddrmsg>();
  fixed.ifa_family = static_cast<unsigned char>(numeric.family);
  fixed.ifa_prefixlen = static_cast<unsigned char>(prefix);
  fixed.ifa_flags = numeric.family == AF_INET6 ? IFA_F_NODAD : 0;
  fixed.ifa_index = static_cast<unsigned>(device.index);
  put(message, IFA_LOCAL, numeric);
  put(message, IFA_ADDRESS, numeric);
  route_.request(message, device.name + ": address " + address);
}

void Links::await_own(const std::string& address) {
  const auto numeric = parse(address);
  const auto is_own = [&] {
    bool own = false;
    Message ask(RTM_GETROUTE);
    auto& fixed = ask.fixed<rtmsg>();
    fixed.rtm_family = static_cast<unsigned char>(numeric.family);
    fixed.rtm_dst_len = static_cast<unsigned char>(numeric.size() * 8);
    put(ask, RTA_DST, numeric);
    route_.request(ask, "route to " + address, [&](const nlmsghdr& answer) {
      own = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&answer))->rtm_type == RTN_LOCAL;
    });
    return own;
  };
  const auto deadline = sys::Deadline::after_ns(kLinkPatience_ns);
  while (!is_own())
    if (!news_.receive(deadline, [](const nlmsghdr&) {}))
      throw sys::LabError(address + ": the address did not become usable");
}

void Links::add_default_route(const std::string& gateway) {
  const auto numeric = parse(gateway);
  auto message = route_message(numeric, 0, NLM_F_CREATE | NLM_F_EXCL, RT_SCOPE_UNIVERSE);
  put(message, RTA_GATEWAY, numeric);
  route_.request(message, "default route by " + gateway);
}

void Links::know_neighbour(const Device& device, const std::string& address, const Device& neighbour) {
  const auto numeric = parse(address);
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
  auto& fixed = message.fixed<ndmsg>();
  fixed.ndm_family = static_cast<unsigned char>(numeric.family);
  fixed.ndm_ifindex = device.index;
  fixed.ndm_state = NUD_REACHABLE;
  const auto hardware = hardware_address(neighbour);
  put(message, NDA_DST, numeric);
  mnl_attr_put(message.header(), NDA_LLADDR, hardware.size(), hardware.data());
  route_.request(message, device.name + ": neighbour " + address);
}

void Links::limit_route(const Device& device, const std::string& network, unsigned prefix, std::uint32_t mtu) {
  const auto numeric = parse(network);
  const bool v4 = numeric.family == AF_INET;
  // The kernel's own route to the network: replaced in IPv4 (its protocol is part of it), preferred over in IPv6.
  auto message = route_message(numeric, prefix, NLM_F_CREATE | NLM_F_REPLACE, v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
  put(message, RTA_DST, numeric);
  mnl_attr_put_u32(message.header(), RTA_OIF, static_cast<std::uint32_t>(device.index));
  if (!v4) mnl_attr_put_u32(message.header(), RTA_PRIORITY, 1);
  auto* metrics = mnl_attr_nest_start(message.header(), RTA_METRICS);
  mnl_attr_put_u32(message.header(), RTAX_MTU, mtu);
  mnl_attr_nest_end(message.header(), metrics);
  route_.request(message, device.name + ": route to " + network + " with mtu " + std::to_string(mtu));
}

void Links::set_mtu(const Device& device, std::uint32_t mtu) {
  Message message(RTM_NEWLINK);
  message.fixed<ifinfomsg>().ifi_index = device.index;
  mnl_attr_put_u32(message.header(), IFLA_MTU, mtu);
  mnl_attr_put_u32(message.header(), IFLA_GSO_MAX_SEGS, 1);
  route_.request(message, device.name + ": mtu " + std::to_string(mtu));

  switch_off(control_.get(), device.name, ETHTOOL_STSO, "TSO");
  switch_off(control_.get(), device.name, ETHTOOL_SGSO, "GSO");
  switch_off(control_.get(), device.name, ETHTOOL_SGRO, "GRO");
}

}  // namespace lab::sandbox
