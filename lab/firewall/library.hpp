// libnftables: the firewall's name for its owner.
#pragma once

#include "system/nftables/library.hpp"

namespace lab::firewall {
using ::lab::nft::Nftables;
}  // namespace lab::firewall
