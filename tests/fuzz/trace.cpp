// A message of the rule trace, behind its netlink header; also as one about a rule.
#include "evidence/collectors/trace_message.hpp"

#include "message.hpp"
#include "system/nftables/dump.hpp"
#include "system/nftables/netfilter.hpp"
#include "target.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < sizeof(nfgenmsg)) return 0;  // nfnetlink always sends its fixed part
  const auto type = [](int kind) { return static_cast<std::uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | kind); };
  (void)lab::evidence::read_trace(lab::fuzz::NetlinkInput(type(NFT_MSG_TRACE), data, size).message());
  (void)lab::nft::rule_of(lab::fuzz::NetlinkInput(type(NFT_MSG_NEWRULE), data, size).message());
  return 0;
}
