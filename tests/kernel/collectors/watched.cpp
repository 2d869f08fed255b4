#include "watched.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "system/error.hpp"

namespace lab::test {
namespace {

using sys::check;

struct Place {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

Place loopback(int family, std::uint16_t port) {
  Place place;
  if (family == 4) {
    auto& in = reinterpret_cast<sockaddr_in&>(place.storage);
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    place.size = sizeof in;
  } else {
    auto& in6 = reinterpret_cast<sockaddr_in6&>(place.storage);
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(port);
    in6.sin6_addr = in6addr_loopback;
    place.size = sizeof in6;
  }
  return place;
}

std::string name_of(int fd) {
  Place own;
  check(::getsockname(fd, own.raw(), &own.size), "getsockname");
  const bool v4 = own.storage.ss_family == AF_INET;
  const auto port = v4 ? reinterpret_cast<sockaddr_in&>(own.storage).sin_port
                       : reinterpret_cast<sockaddr_in6&>(own.storage).sin6_port;
  return (v4 ? "127.0.0.1:" : "[::1]:") + std::to_string(ntohs(port));
}

}  // namespace

Pair::Pair(int family) {
  const int domain = family == 4 ? AF_INET : AF_INET6;
  auto place = loopback(family, kPort);
  listener = sys::Descriptor(check(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  check(::bind(listener.get(), place.raw(), place.size), "bind");
  check(::listen(listener.get(), 4), "listen");
  client = sys::Descriptor(check(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket"));
  check(::connect(client.get(), place.raw(), place.size), "connect");
  server = sys::Descriptor(check(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC), "accept4"));
  client_address = name_of(client.get());
  server_address = name_of(server.get());
}

void Pair::send(const std::string& text) const {
  check(::send(client.get(), text.data(), text.size(), MSG_NOSIGNAL), "send");
}

std::string Pair::receive() const {
  std::array<char, 4096> room;
  const auto got = check(::recv(server.get(), room.data(), room.size(), 0), "recv");
  return {room.data(), static_cast<std::size_t>(got)};
}

}  // namespace lab::test
