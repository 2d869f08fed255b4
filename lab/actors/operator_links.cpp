// Links, addresses and routes. man 7 rtnetlink.
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
// After the libc's own.
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include <charconv>
#include <cstring>
#include <optional>

#include "actors/operator_kernel.hpp"
#include "system/error.hpp"
#include "system/netlink.hpp"

namespace lab::actors {
namespace {

const nlattr* find(const nlmsghdr& message, std::size_t fixed, std::uint16_t type) {
  // Not libmnl's tail, which is aligned: up to three bytes behind the message.
  const auto* end = reinterpret_cast<const char*>(&message) + message.nlmsg_len;
  const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, fixed));
  while (mnl_attr_ok(attribute, static_cast<int>(end - reinterpret_cast<const char*>(attribute)))) {
    if (mnl_attr_get_type(attribute) == type) return attribute;
    attribute = mnl_attr_next(attribute);
  }
  return nullptr;
}

unsigned index_of_device(const std::string& device) {
  const auto index = ::if_nametoindex(device.c_str());
  if (!index) throw sys::KernelError(errno, "link " + device);
  return index;
}

struct Held {
  unsigned device = 0;
  std::uint8_t length = 0;
};

std::optional<Held> holder_of(sys::Netlink& netlink, const Prefix& wanted, const std::string& text) {
  std::optional<Held> held;
  sys::Message message(RTM_GETADDR, NLM_F_DUMP);
  message.fixed<ifaddrmsg>().ifa_family = static_cast<std::uint8_t>(wanted.family);
  netlink.request(message, "address " + text, [&](const nlmsghdr& answer) {
    const auto& about = *static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(&answer));
    const auto* local = find(answer, sizeof about, IFA_LOCAL);
    if (!local) local = find(answer, sizeof about, IFA_ADDRESS);  // IPv6 has no IFA_LOCAL without a peer
    if (!local || std::memcmp(mnl_attr_get_payload(local), wanted.bytes, wanted.size()) != 0) return;
    if (wanted.given && about.ifa_prefixlen != wanted.length) return;
    held = {about.ifa_index, about.ifa_prefixlen};
  });
  return held;
}

unsigned device_for_addresses(sys::Netlink& netlink) {
  unsigned chosen = 0, loopback = 0;
  sys::Message message(RTM_GETLINK, NLM_F_DUMP);
  message.fixed<ifinfomsg>();
  netlink.request(message, "links", [&](const nlmsghdr& answer) {
    const auto& about = *static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&answer));
    const auto index = static_cast<unsigned>(about.ifi_index);
    if (about.ifi_flags & IFF_LOOPBACK)
      loopback = index;
    else if (!chosen && (about.ifi_flags & IFF_UP))
      chosen = index;
  });
  return chosen ? chosen : loopback;
}

void put_address(sys::Message& message, const Prefix& address, const Held& on) {
  auto& fixed = message.fixed<ifaddrmsg>();
  fixed.ifa_family = static_cast<std::uint8_t>(address.family);
  fixed.ifa_prefixlen = on.length;
  fixed.ifa_index = on.device;
  if (address.family == AF_INET6) fixed.ifa_flags = IFA_F_NODAD;
  mnl_attr_put(message.header(), IFA_LOCAL, address.size(), address.bytes);
  mnl_attr_put(message.header(), IFA_ADDRESS, address.size(), address.bytes);
}

// Is it one of this machine's own addresses?
bool is_local(sys::Netlink& netlink, const Prefix& destination, const std::string& text) {
  bool local = false;
  sys::Message message(RTM_GETROUTE);
  auto& fixed = message.fixed<rtmsg>();
  fixed.rtm_family = static_cast<std::uint8_t>(destination.family);
  fixed.rtm_dst_len = static_cast<std::uint8_t>(destination.size() * 8);
  mnl_attr_put(message.header(), RTA_DST, destination.size(), destination.bytes);
  try {
    netlink.request(message, "route to " + text, [&](const nlmsghdr& answer) {
      local = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(&answer))->rtm_type == RTN_LOCAL;
    });
  } catch (const sys::KernelError&) {
    // No route to it, or a dead one: not local.
  }
  return local;
}

void put_route(sys::Message& message, const Prefix& destination, std::uint8_t type, std::uint8_t table,
               std::uint8_t protocol) {
  auto& fixed = message.fixed<rtmsg>();
  fixed.rtm_family = static_cast<std::uint8_t>(destination.family);
  fixed.rtm_dst_len = static_cast<std::uint8_t>(destination.length);
  fixed.rtm_table = table;
  fixed.rtm_protocol = protocol;
  fixed.rtm_type = type;
  mnl_attr_put(message.header(), RTA_DST, destination.size(), destination.bytes);
}

// An IPv6 route of ours gets metric 1024 and would lose against the address's own of metric 0.
void remove_local_route(sys::Netlink& netlink, const Prefix& destination, const std::string& text) {
  sys::Message message(RTM_DELROUTE);
  put_route(message, destination, RTN_LOCAL, RT_TABLE_LOCAL, RTPROT_UNSPEC);
  netlink.request(message, "local route to " + text);
}

std::uint8_t type_of_route(const std::string& kind) {
  return kind == "blackhole" ? RTN_BLACKHOLE : kind == "unreachable" ? RTN_UNREACHABLE : RTN_PROHIBIT;
}

}  // namespace

std::size_t Prefix::size() const { return family == AF_INET ? 4 : 16; }

Prefix prefix_of(const std::string& text) {
  Prefix prefix;
  const auto slash = text.find('/');
  const auto address = text.substr(0, slash);
  if (::inet_pton(AF_INET, address.c_str(), prefix.bytes) == 1)
    prefix.family = AF_INET;
  else if (::inet_pton(AF_INET6, address.c_str(), prefix.bytes) == 1)
    prefix.family = AF_INET6;
  else
    throw sys::LabError("'" + text + "' is no address");
  const auto longest = static_cast<int>(prefix.size() * 8);
  prefix.length = longest;
  if (slash == std::string::npos) return prefix;
  const auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), prefix.length);
  if (error != std::errc() || end != text.data() + text.size() || prefix.length < 0 || prefix.length > longest)
    throw sys::LabError("'" + text + "' has no prefix length from 0 to " + std::to_string(longest));
  prefix.given = true;
  return prefix;
}

void set_link(const std::string& device, bool up) {
  sys::Message message(RTM_NEWLINK);
  auto& fixed = message.fixed<ifinfomsg>();
  fixed.ifi_index = static_cast<int>(index_of_device(device));
  fixed.ifi_change = IFF_UP;
  fixed.ifi_flags = up ? IFF_UP : 0;
  sys::Netlink(NETLINK_ROUTE).request(message, "link " + device);
}

void add_address(const std::string& text) {
  const auto address = prefix_of(text);
  sys::Netlink netlink(NETLINK_ROUTE);
  sys::Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL);
  put_address(message, address, {device_for_addresses(netlink), static_cast<std::uint8_t>(address.length)});
  netlink.request(message, "address " + text);
}

void delete_address(const std::string& text) {
  const auto address = prefix_of(text);
  sys::Netlink netlink(NETLINK_ROUTE);
  const auto held = holder_of(netlink, address, text);
  if (!held) throw sys::KernelError(EADDRNOTAVAIL, "address " + text);
  sys::Message message(RTM_DELADDR);
  put_address(message, address, *held);
  netlink.request(message, "address " + text);
}

void add_dead_route(const std::string& kind, const std::string& text) {
  const auto destination = prefix_of(text);
  sys::Netlink netlink(NETLINK_ROUTE);
  const bool local = is_local(netlink, destination, text);
  if (local && destination.family == AF_INET6) remove_local_route(netlink, destination, text);
  // Without NLM_F_EXCL and NLM_F_APPEND: in front of a route with the same prefix (net/ipv4/fib_trie.c).
  sys::Message message(RTM_NEWROUTE, NLM_F_CREATE);
  put_route(message, destination, type_of_route(kind), local ? RT_TABLE_LOCAL : RT_TABLE_MAIN, RTPROT_STATIC);
  netlink.request(message, kind + " " + text);
}

}  // namespace lab::actors
