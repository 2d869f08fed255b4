// Sockets as socket diagnostics show them: dumps on demand, and each socket's last word when the kernel frees it.
// man sock_diag; net/ipv4/inet_diag.c, tcp_diag.c.
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/holders.hpp"
#include "evidence/collectors/socket_message.hpp"
#include "system/clock.hpp"
#include "system/netlink.hpp"

namespace lab::evidence {
namespace {

// A closed socket that still has its port is found through the machine's table of bound ports, whose 65536 locks take
// most of a millisecond: only the last look asks for those (TCPF_BOUND_INACTIVE, 6.8; their state reads CLOSE), and
// only where some process holds sockets, without which there are none.
constexpr std::uint32_t kEveryState = 0xffffffff, kBoundOnly = 1U << 13;

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
    lost_ +=
        listening_.drain([&](const nlmsghdr& message) { put(message, "destroyed", sink, nullptr, sys::now_ns()); });
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
    auto socket = read_socket(message);
    if (!socket) return;
    socket->netns = netns_;
    socket->when = when;
    if (holders) socket->pids = holders->of(socket->inode);
    sink.put({.t_ns = t, .read_time = true, .what = std::move(*socket)});
    ++events_;
  }

  std::string netns_;
  sys::Netlink asking_, listening_;
  std::uint64_t events_ = 0, lost_ = 0;
};

}  // namespace

std::unique_ptr<Sockets> make_sockets(const std::string& netns) { return std::make_unique<SocketDiagnostics>(netns); }

}  // namespace lab::evidence
