#include "actors/endpoint.hpp"

#include <arpa/inet.h>

#include <cstring>

#include "system/error.hpp"

namespace lab::actors {

SocketAddress to_kernel(const scenario::Endpoint& endpoint) {
  SocketAddress address;
  sockaddr_in four{};
  sockaddr_in6 six{};
  if (::inet_pton(AF_INET, endpoint.host.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(endpoint.port);
    std::memcpy(&address.storage, &four, address.length = sizeof four);
  } else if (::inet_pton(AF_INET6, endpoint.host.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(endpoint.port);
    std::memcpy(&address.storage, &six, address.length = sizeof six);
  } else {
    throw sys::LabError("'" + endpoint.host + "' is no numeric address");
  }
  return address;
}

bool SocketAddress::wildcard() const {
  if (family() == AF_INET) return reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr.s_addr == 0;
  return IN6_IS_ADDR_UNSPECIFIED(&reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr);
}

End end_of(const SocketAddress& address) {
  End end;
  if (address.family() == AF_INET) {
    const auto& four = *reinterpret_cast<const sockaddr_in*>(&address.storage);
    end.family = 4;
    std::memcpy(end.ip, &four.sin_addr, 4);
    end.port = ntohs(four.sin_port);
  } else if (address.family() == AF_INET6) {
    const auto& six = *reinterpret_cast<const sockaddr_in6*>(&address.storage);
    const bool mapped = IN6_IS_ADDR_V4MAPPED(&six.sin6_addr);
    end.family = mapped ? 4 : 6;
    std::memcpy(end.ip, six.sin6_addr.s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    end.port = ntohs(six.sin6_port);
  }
  return end;
}

}  // namespace lab::actors
