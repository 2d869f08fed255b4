// What of root's power lab itself holds, and for how long. man capabilities.
#pragma once

#include <span>

namespace lab::sandbox {

// Capabilities by their number (CAP_SETUID, …): those lab ever needs, and those it still needs once its last sandbox
// stands. privileges.cpp says what for.
std::span<const int> needed_capabilities();
std::span<const int> lasting_capabilities();

// First thing in the process: every other capability goes for good, out of the bounding and the inheritable set too,
// and the ambient set is emptied. Nothing to do without capabilities. Each throws KernelError where the kernel refuses.
void keep_needed_capabilities();
// When no sandbox is made any more.
void keep_lasting_capabilities();

}  // namespace lab::sandbox
