// What the operator does to the kernel, in the calling thread's network namespace. Each throws KernelError that names
// the object and keeps the kernel's own text.
#pragma once

#include <cstdint>
#include <string>

#include "actors/endpoint.hpp"

namespace lab::actors {

struct Prefix {
  int family = 0;  // AF_INET, AF_INET6
  std::uint8_t bytes[16] = {};
  int length = 0;            // bits; the whole address where none was given
  bool given = false;        // a length was
  std::size_t size() const;  // bytes of an address
};
Prefix prefix_of(const std::string& text);  // "10.0.0.1", "10.0.0.0/24"; throws LabError

// man 7 rtnetlink
void set_link(const std::string& device, bool up);
// Added to the first link that is up and not loopback, else to lo; usable at once (no duplicate detection).
void add_address(const std::string& address);
void delete_address(const std::string& address);  // from whatever link has it
// `kind`: "blackhole", "unreachable", "prohibit". In front of what is there: a route to one of this machine's own
// addresses goes into the local table, which is looked up before any other (man ip-rule).
void add_dead_route(const std::string& kind, const std::string& destination);

// A policy that blocks everything in or out. Loopback is exempt from policies until its disable_policy and disable_xfrm
// are 0 (Documentation/networking/ip-sysctl), so that is set first.
void block_by_policy(bool in);

void flush_conntrack();
void set_sysctl(const std::string& key, const std::string& value);

// One end's TCP sockets but its listeners, as `ss -K` does (SOCK_DESTROY, man 7 sock_diag). KernelError ENOENT when
// there are none. The server's end is the one whose local port is `port`.
void destroy_sockets(std::uint16_t port, bool of_server);

// A segment that neither end sent, over a raw socket. `flags`: TH_RST, TH_FIN | TH_ACK, … (netinet/tcp.h)
struct Forged {
  SocketAddress from, to;
  std::uint32_t sequence = 0, acknowledged = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;
};
void inject(const Forged& segment);

}  // namespace lab::actors
