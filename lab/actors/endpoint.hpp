// Addresses of connections, from a scenario's endpoints to the kernel's form and into records.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "actors/actor.hpp"

namespace lab::actors {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
  bool wildcard() const;
};

// Throws LabError for a host that is no numeric address.
SocketAddress to_kernel(const scenario::Endpoint& endpoint);

// An end of a connection as records have it. An IPv4-mapped address is the IPv4 address.
struct End {
  std::uint8_t family = 0;  // 4, 6; 0: not known
  std::uint8_t ip[16] = {};
  std::uint16_t port = 0;
};
End end_of(const SocketAddress& address);

}  // namespace lab::actors
