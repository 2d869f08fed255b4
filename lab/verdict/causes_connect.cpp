// The connect/ rows of the table.
#include "verdict/connect.hpp"

namespace lab::verdict {

using namespace connect;

std::span<const Cause> connect_causes() {
  static const std::vector<Cause> all = {
      {"connect/refused",
       "nobody listens: the SYN was answered with a reset",
       find_refused,
       no_refused,
       {"ss -ltn on the server: is anything on that address and port?",
        "Did the server start, and does it bind the address that the client uses (127.0.0.1 against 0.0.0.0)?"}},
      {"connect/no-answer",
       "the SYN or its answer was lost",
       find_no_answer,
       no_no_answer,
       {"tcpdump on both ends: does the SYN arrive, does the SYN,ACK leave?",
        "nft list ruleset: counters of drop rules; security groups and routes of the way back"}},
      {"connect/wrong-family",
       "the listener is on the other address family",
       find_wrong_family,
       nullptr,
       {"ss -ltn: [::1]:PORT and 127.0.0.1:PORT are two listeners",
        "Let the server listen on both, or name the address instead of 'localhost'"}},
      {"connect/unreachable",
       "there is no route to the server",
       find_unreachable,
       nullptr,
       {"ip route get ADDRESS; ip rule; is the interface up and does it have an address of that family?"}},
      {"connect/queue-full",
       "the listen queue was full, so the SYN was dropped",
       find_queue_full,
       no_queue_full,
       {"ss -ltn: Recv-Q above Send-Q on the listener; nstat -az TcpExtListenOverflows TcpExtListenDrops",
        "Raise the backlog of listen() and net.core.somaxconn, and accept faster"}},
      {"connect/never-tried",
       "the client never tried to open a TCP connection",
       nullptr,
       nullptr,
       {"Does the client get that far: its output and exit status, name resolution, configuration",
        "strace -f -e trace=network COMMAND"}},
  };
  return all;
}

}  // namespace lab::verdict
