// Rules' texts by handle: the firewall's names for the room that reads them.
#pragma once

#include "system/nftables/rule_texts.hpp"

namespace lab::firewall {
using ::lab::nft::parse_texts;
using ::lab::nft::rule_texts;
using ::lab::nft::RuleTexts;
}  // namespace lab::firewall
