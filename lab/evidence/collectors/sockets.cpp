// Sockets as socket diagnostics show them: dumps on demand, and each socket's last word when the kernel frees it.
// man sock_diag; net/ipv4/inet_diag.c, tcp_diag.c.
#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "evidence/collectors/attributes.hpp"
#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/holders.hpp"
#include "system/clock.hpp"
#include "system/netlink.hpp"

namespace lab::evidence {
namespace {

constexpr std::uint8_t kListen = 10;
// A closed socket that still has its port is found through the machine's table of bound ports, whose 65536 locks take
// most of a millisecond: only the last look asks for those (TCPF_BOUND_INACTIVE, 6.8; their state reads CLOSE), and only
// where some process holds sockets, without which there are none.
constexpr std::uint32_t kEveryState = 0xffffffff, kBoundOnly = 1U << 13;

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

class SocketDiagnostics : public Sockets {
 public:
  explicit SocketDiagnostics(std::string netns)
      : netns_(std::move(netns)),
        asking_(NETLINK_SOCK_DIAG),
        listening_(NETLINK_SOCK_DIAG, {SKNLGRP_INET_TCP_DESTROY, SKNLGRP_INET6_TCP_DESTROY}) {
    listening_.receive_buffer(1024 * 1024);
  }

  std::vector<int> descriptors() const override { return {listening_.descriptor()}; }

  void drain(Sink& sink) override {
    lost_ += listening_.drain([&](const nlmsghdr& message) { put(message, "destroyed", sink, nullptr, sys::now_ns()); });
  }
  void start(Sink&) override {
    listening_.drain([](const nlmsghdr&) {});
  }
  void finish(Sink& sink) override {
    snapshot(sink, "end");
    drain(sink);
  }

  void snapshot(Sink& sink, const std::string& when) override {
    const auto holders = Holders::of_everyone();
    // The old form of the request: it dumps both families in one walk over the kernel's tables.
    sys::Message message(TCPDIAG_GETSOCK, NLM_F_DUMP);
    auto& wanted = message.fixed<inet_diag_req>();
    wanted.idiag_states = when == "end" && !holders.none() ? kEveryState : kEveryState & ~kBoundOnly;
    wanted.idiag_ext = 1 << (INET_DIAG_INFO - 1) | 1 << (INET_DIAG_SHUTDOWN - 1);
    // The states are not older than the question; by the time they are read they may be history.
    const auto asked = sys::now_ns();
    // A torn dump is a snapshot all the same: each socket in it is true.
    asking_.request(message, "dump the TCP sockets",
                    [&](const nlmsghdr& answer) { put(answer, when, sink, &holders, asked); });
  }

  Collector account() const override {
    return {.name = "sockets", .on = true, .why = "", .events = events_, .lost = lost_};
  }

 private:
  void put(const nlmsghdr& message, const std::string& when, Sink& sink, const Holders* holders, std::int64_t t) {
    const bool socket_told = message.nlmsg_type == SOCK_DIAG_BY_FAMILY || message.nlmsg_type == TCPDIAG_GETSOCK;
    if (!socket_told || mnl_nlmsg_get_payload_len(&message) < sizeof(inet_diag_msg))
      return;
    const auto& told = *static_cast<const inet_diag_msg*>(mnl_nlmsg_get_payload(&message));
    SocketState socket{.netns = netns_,
                       .local = address(told.idiag_family, told.id.idiag_src, told.id.idiag_sport),
                       .peer = address(told.idiag_family, told.id.idiag_dst, told.id.idiag_dport),
                       .state = state_name(told.idiag_state),
                       .when = when,
                       .timer = timer_name(told.idiag_timer),
                       .timer_ms = told.idiag_timer ? told.idiag_expires : 0,
                       .retransmits = told.idiag_retrans,
                       .receive_queue = told.idiag_rqueue,
                       .send_queue = told.idiag_wqueue,
                       .inode = told.idiag_inode};
    if (told.idiag_state == kListen) socket.peer = {};
    each_attribute(message, sizeof(inet_diag_msg), [&](const nlattr& attribute) { take(socket, &attribute); });
    if (holders) socket.pids = holders->of(socket.inode);
    sink.put({.t_ns = t, .read_time = true, .what = std::move(socket)});
    ++events_;
  }

  std::string netns_;
  sys::Netlink asking_, listening_;
  std::uint64_t events_ = 0, lost_ = 0;
};

}  // namespace

std::unique_ptr<Sockets> make_sockets(const std::string& netns) { return std::make_unique<SocketDiagnostics>(netns); }

}  // namespace lab::evidence
