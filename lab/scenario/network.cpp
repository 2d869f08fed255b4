#include "scenario/network.hpp"

#include "scenario/kinds.hpp"
#include "scenario/step_words.hpp"

namespace lab::scenario {
namespace {

// IPv4 needs 68 bytes (RFC 791); IPv6 needs 1280 (RFC 8200), which is checked once the family is known.
using Mtu = Whole<68, 65535>;

constexpr Shape kSysctlValue{.what = "a number or a text", .kinds = Node::string | Node::integer | Node::boolean};
constexpr Shape kSysctl{.what = "a table of net.* sysctls", .kinds = Node::table, .others = &kSysctlValue};

// `net.ipv4.tcp_retries2 = 3` without quotes is a tree in TOML: it means the same.
void add_sysctls(Reading& reading, const Node& node, const std::string& prefix, Network& network) {
  for (const auto& member : node.members) {
    const auto key = prefix.empty() ? member.key : prefix + "." + member.key;
    if (member.value.kind == Node::table) {
      add_sysctls(reading, member.value, key, network);
    } else if (!is_net_sysctl(key)) {
      reading.mistake(member.place(), "network.sysctl: expected a sysctl of net.*, found '" + key + "'",
                      "sysctls are set in the sandbox's network namespace only");
    } else if (fits(reading, member.value, kSysctlValue)) {
      const auto& value = member.value;
      auto text = value.kind == Node::string ? value.text : std::to_string(value.number);
      network.sysctl.push_back({key, std::move(text), value.place()});
    }
  }
}

void read_sysctl(Reading& reading, const Node& node, Network& network) {
  if (fits(reading, node, kSysctl)) add_sysctls(reading, node, "", network);
}

constexpr Key<Network> kKeys[] = {
    key<OneOf<kFamilies>, &Network::family>("family", "address family of the run (default ipv4)"),
    key<OneOf<kTopologies>, &Network::topology>(
        "topology",
        "loopback: one namespace (default); routed: client, router and server, with the firewall on the router"),
    key<Mtu, &Network::mtu>("mtu", "bytes; also turns segmentation offload off, so that packets are this small (slow)"),
    special<Network>("sysctl", kSysctl, read_sysctl, "net.* sysctls of the sandbox"),
};

struct Address {
  std::string_view ipv4, ipv6;
};
// RFC 5737 and RFC 3849: addresses for documentation, which no host uses.
constexpr Address kLoopback{"127.0.0.1", "::1"};
constexpr Address kServer{"198.51.100.2", "2001:db8:2::2"};
constexpr Address kClient{"192.0.2.2", "2001:db8:1::2"};
constexpr Address kRouter{"192.0.2.1", "2001:db8:1::1"};
constexpr Address kCounterparts[] = {kLoopback,        kServer, kClient, kRouter, {"198.51.100.1", "2001:db8:2::1"},
                                     {"0.0.0.0", "::"}};

std::string in(Family family, const Address& address) {
  return std::string(family == Family::ipv4 ? address.ipv4 : address.ipv6);
}

}  // namespace

void read_network(Reading& reading, const Node& node, Network& network) {
  Within within(reading, "network");
  read_table(reading, node, kKeys, network);
  network.family_given = node.kind == Node::table && node.find("family");
}

std::span<const Property> network_properties() { return properties<kKeys>(); }

std::string server_address(Topology topology, Family family) {
  return in(family, topology == Topology::loopback ? kLoopback : kServer);
}

std::string router_address(Family family) { return in(family, kRouter); }

std::string client_address(Topology topology, Family family) {
  return in(family, topology == Topology::loopback ? kLoopback : kClient);
}

std::optional<std::string> counterpart(std::string_view address) {
  for (const auto& pair : kCounterparts) {
    if (address == pair.ipv4) return std::string(pair.ipv6);
    if (address == pair.ipv6) return std::string(pair.ipv4);
  }
  return {};
}

}  // namespace lab::scenario
