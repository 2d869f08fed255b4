// The kernel's netfilter headers, in the order they need.
#pragma once

#include "system/nftables/netfilter.hpp"
