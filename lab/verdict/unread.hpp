#pragma once

#include <cstdint>
#include <string_view>

namespace lab::verdict {

// Bytes that wait to be read in a socket of that state. The kernel counts a FIN that has come as one (rcv_nxt,
// net/ipv4/tcp_diag.c).
std::uint32_t unread_in(std::string_view state, std::uint32_t receive_queue);

}  // namespace lab::verdict
