// What the kernel holds: the firewall's names for the room that reads it.
#pragma once

#include "system/nftables/dump.hpp"

namespace lab::firewall {
using ::lab::nft::dump_chains;
using ::lab::nft::dump_rules;
using ::lab::nft::dump_sets;
using ::lab::nft::KernelChain;
using ::lab::nft::KernelRule;
using ::lab::nft::KernelSet;
}  // namespace lab::firewall
