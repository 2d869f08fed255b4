// Socket options of the scenario language, as setsockopt(2) takes them. man 7 socket, 7 tcp, 7 ip.
#pragma once

#include <vector>

#include "scenario/types.hpp"

namespace lab::actors {

// Sets one on a socket of `family`; 0 or the errno. `listening`: fastopen means another thing to a listener.
int set_option(int fd, int family, const scenario::SocketOption& option, bool listening);

// What `option NAME VALUE` says.
scenario::SocketOption option_of(const scenario::Step& step);

// IPPROTO_TCP, or IPPROTO_MPTCP where the options ask for it.
int protocol_of(const std::vector<scenario::SocketOption>& options);

// SO_LINGER {on, 0}: closing sends a reset.
bool asks_for_reset(const scenario::SocketOption& option);
int linger_zero(int fd);  // 0 or the errno

}  // namespace lab::actors
