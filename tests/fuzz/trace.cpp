// A message of the rule trace, behind its netlink header.
#include "evidence/collectors/trace_message.hpp"

#include "message.hpp"
#include "system/nftables/netfilter.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto type = static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE);
  (void)lab::evidence::read_trace(lab::fuzz::NetlinkInput(type, data, size).message());
  return 0;
}
