// A message of socket diagnostics, and the kernel's answer to a request that it refused.
#include <linux/sock_diag.h>

#include "evidence/collectors/socket_message.hpp"
#include "message.hpp"
#include "system/netlink.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  (void)lab::evidence::read_socket(lab::fuzz::NetlinkInput(SOCK_DIAG_BY_FAMILY, data, size).message());
  if (size == 0) return 0;
  // The first byte is the message's flags: NLM_F_CAPPED and NLM_F_ACK_TLVS say what stands behind the status.
  const auto flags = static_cast<std::uint16_t>(data[0] << 8);
  for (const std::uint16_t type : {NLMSG_ERROR, NLMSG_DONE})
    (void)lab::sys::parse_error(lab::fuzz::NetlinkInput(type, data + 1, size - 1, flags).message());
  return 0;
}
