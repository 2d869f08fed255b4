#include "evidence/collectors/socket_message.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>

#include "evidence/collectors/attributes.hpp"

namespace lab::evidence {
namespace {

constexpr std::uint8_t kListen = 10;

// include/net/tcp_states.h.
std::string state_name(std::uint8_t state) {
  static constexpr std::array names = {"",          "ESTABLISHED", "SYN_SENT",    "SYN_RECV",   "FIN_WAIT1",
                                       "FIN_WAIT2", "TIME_WAIT",   "CLOSE",       "CLOSE_WAIT", "LAST_ACK",
                                       "LISTEN",    "CLOSING",     "NEW_SYN_RECV"};
  return state < names.size() ? names[state] : "state " + std::to_string(state);
}

// idiag_timer: man sock_diag.
std::string timer_name(std::uint8_t timer) {
  static constexpr std::array names = {"", "retransmit", "keepalive", "timewait", "probe"};
  return timer < names.size() ? names[timer] : "timer " + std::to_string(timer);
}

Address address(std::uint8_t family, const __be32* ip, __be16 port) {
  return port ? make_address(family == AF_INET6 ? 6 : 4, ip, ntohs(port)) : Address{};
}

// tcpi_rcv_wnd (kernel 6.2) follows tcpi_snd_wnd; older headers do not have it.
std::uint32_t receive_window_of(const nlattr* attribute) {
  constexpr std::size_t at = offsetof(tcp_info, tcpi_snd_wnd) + sizeof(tcp_info::tcpi_snd_wnd);
  std::uint32_t window = 0;
  if (mnl_attr_get_payload_len(attribute) >= at + sizeof window)
    std::memcpy(&window, static_cast<const char*>(mnl_attr_get_payload(attribute)) + at, sizeof window);
  return window;
}

// Older kernels send a shorter tcp_info, newer ones a longer: what is missing stays 0.
tcp_info info_of(const nlattr* attribute) {
  tcp_info info{};
  std::memcpy(&info, mnl_attr_get_payload(attribute),
              std::min<std::size_t>(sizeof info, mnl_attr_get_payload_len(attribute)));
  return info;
}

void take(SocketState& socket, const tcp_info& info) {
  socket.retransmits = info.tcpi_retransmits;
  socket.probes = info.tcpi_probes;
  socket.backoff = info.tcpi_backoff;
  socket.unacked = info.tcpi_unacked;
  socket.not_sent = info.tcpi_notsent_bytes;
  socket.bytes_sent = info.tcpi_bytes_sent;
  socket.bytes_acked = info.tcpi_bytes_acked;
  socket.bytes_received = info.tcpi_bytes_received;
  socket.send_window = info.tcpi_snd_wnd;
  socket.total_retransmits = info.tcpi_total_retrans;
}

void add_option(SocketState& socket, const char* option) {
  if (!socket.options.empty()) socket.options += ' ';
  socket.options += option;
}

void take(SocketState& socket, const nlattr* attribute) {
  switch (mnl_attr_get_type(attribute)) {
    case INET_DIAG_INFO:
      // A listener's tcpi_unacked is its queue, said already (net/ipv4/tcp_diag.c).
      if (socket.state == "LISTEN") break;
      take(socket, info_of(attribute));
      socket.receive_window = receive_window_of(attribute);
      break;
    case INET_DIAG_SHUTDOWN: {
      const auto shut = mnl_attr_get_u8(attribute);  // RCV_SHUTDOWN 1, SEND_SHUTDOWN 2
      socket.shut_read = shut & 1;
      socket.shut_write = shut & 2;
      break;
    }
    case INET_DIAG_MD5SIG:
      add_option(socket, "md5");
      break;
    case INET_DIAG_ULP_INFO:
      each_nested(*attribute, [&](const nlattr& nested) {
        if (mnl_attr_get_type(&nested) == INET_ULP_INFO_MPTCP) add_option(socket, "mptcp");
      });
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<SocketState> read_socket(const nlmsghdr& message) {
  const bool socket_told = message.nlmsg_type == SOCK_DIAG_BY_FAMILY || message.nlmsg_type == TCPDIAG_GETSOCK;
  if (!socket_told || mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg)) return {};
  const auto& told = *static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&message));
  SocketState socket{.local = address(told.idiag_family, told.id.idiag_src, told.id.idiag_sport),
                     .peer = address(told.idiag_family, told.id.idiag_dst, told.id.idiag_dport),
                     .state = state_name(told.idiag_state),
                     .timer = timer_name(told.idiag_timer),
                     .timer_ms = told.idiag_timer ? told.idiag_expires : 0,
                     .retransmits = told.idiag_retrans,
                     .receive_queue = told.idiag_rqueue,
                     .send_queue = told.idiag_wqueue,
                     .inode = told.idiag_inode};
  if (told.idiag_state == kListen) socket.peer = {};
  each_attribute(message, sizeof(inet_diag_msg), [&](const nlattr& attribute) { take(socket, &attribute); });
  return socket;
}

}  // namespace lab::evidence
