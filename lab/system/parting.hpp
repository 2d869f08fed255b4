// Descriptors whose closing takes the kernel milliseconds: a packet socket or the owner of an nftables table waits for
// a grace period, a tracepoint's link has kernel code changed on every CPU.
#pragma once

#include <vector>

#include "system/descriptor.hpp"

namespace lab::sys {

// Closed by a thread of the kernel (since 6.10; before, and where it can't be had, here and now). It closes one after
// the other for the whole machine: good for a process that ends, not for one that goes on like this.
void leave_to_kernel(std::vector<Descriptor> descriptors) noexcept;

}  // namespace lab::sys
