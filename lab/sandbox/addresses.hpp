// Where the ends of a run are, for default endpoints and for rules.
//
//   loopback:  127.0.0.1 or ::1, device lo, one namespace with the name "".
//   routed:    client                  router                    server
//              client0 ───────────── router0   router1 ───────── server0
//              192.0.2.2/24      192.0.2.1/24  198.51.100.1/24   198.51.100.2/24
//              2001:db8:1::2/64  ::1           2001:db8:2::1     2001:db8:2::2/64
//
// The addresses are those of RFC 5737 and RFC 3849. Only the scenario's family is configured on the veth links
// (no IPv6 link-local addresses, no duplicate address detection: usable at once); loopback has both families.
#pragma once

#include "scenario/types.hpp"

namespace lab::sandbox {

inline constexpr const char* kClient = "client";
inline constexpr const char* kRouter = "router";
inline constexpr const char* kServer = "server";

struct Ends {
  const char* client;
  const char* server;
  const char* router_to_client;  // "" on loopback
  const char* router_to_server;
};

// Numeric addresses.
constexpr Ends ends(scenario::Topology topology, scenario::Family family) {
  const bool v4 = family == scenario::Family::ipv4;
  if (topology == scenario::Topology::loopback)
    return v4 ? Ends{"127.0.0.1", "127.0.0.1", "", ""} : Ends{"::1", "::1", "", ""};
  return v4 ? Ends{"192.0.2.2", "198.51.100.2", "192.0.2.1", "198.51.100.1"}
            : Ends{"2001:db8:1::2", "2001:db8:2::2", "2001:db8:1::1", "2001:db8:2::1"};
}

}  // namespace lab::sandbox
