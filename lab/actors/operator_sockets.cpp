// Destroying sockets. man 7 sock_diag; net/ipv4/inet_diag.c.
#include <netinet/in.h>
#include <netinet/tcp.h>
// After the libc's own.
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>

#include <vector>

#include "actors/operator_kernel.hpp"
#include "system/error.hpp"
#include "system/netlink.hpp"

namespace lab::actors {
namespace {

constexpr std::uint32_t kAllStates = ~0U;
constexpr std::uint32_t kLeftAlone = 1U << TCP_LISTEN | 1U << TCP_TIME_WAIT | 1U << TCP_CLOSE;

struct Found {
  std::uint8_t family;
  inet_diag_sockid id;
};

std::vector<Found> sockets_of(sys::Netlink& netlink, std::uint16_t port, bool of_server) {
  std::vector<Found> all;
  for (const int family : {AF_INET, AF_INET6}) {
    sys::Message message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    auto& request = message.fixed<inet_diag_req_v2>();
    request.sdiag_family = static_cast<std::uint8_t>(family);
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = kAllStates & ~kLeftAlone;
    netlink.request(message, "TCP sockets", [&](const nlmsghdr& answer) {
      const auto& socket = *static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&answer));
      const auto own = of_server ? socket.id.idiag_sport : socket.id.idiag_dport;
      if (ntohs(own) == port) all.push_back({socket.idiag_family, socket.id});
    });
  }
  return all;
}

void destroy(sys::Netlink& netlink, const Found& socket) {
  sys::Message message(SOCK_DESTROY);
  auto& request = message.fixed<inet_diag_req_v2>();
  request.sdiag_family = socket.family;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = kAllStates;
  request.id = socket.id;
  try {
    netlink.request(message, "destroy a socket");
  } catch (const sys::KernelError& gone) {
    // It ended between the look and the act.
    if (gone.code().value() != ENOENT) throw;
  }
}

}  // namespace

void destroy_sockets(std::uint16_t port, bool of_server) {
  sys::Netlink netlink(NETLINK_SOCK_DIAG);
  const auto all = sockets_of(netlink, port, of_server);
  if (all.empty())
    throw sys::KernelError(ENOENT, std::string("sockets of the ") + (of_server ? "server" : "client") + " at port " +
                                       std::to_string(port));
  for (const auto& socket : all) destroy(netlink, socket);
}

}  // namespace lab::actors
