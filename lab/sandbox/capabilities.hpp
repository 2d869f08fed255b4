// The calling thread's capabilities, one bit for each (1 << CAP_SETUID, …). By system calls: the libraries for it ask
// /proc, which takes as long as the rest of a run's start. man capabilities, capget, prctl.
#pragma once

#include <cstdint>

namespace lab::sandbox {

struct Capabilities {
  std::uint64_t effective = 0, permitted = 0, inheritable = 0;
  bool any() const { return (effective | permitted | inheritable) != 0; }
};

Capabilities capabilities();
void set_capabilities(const Capabilities& sets);
void clear_ambient();
void raise_ambient(std::uint64_t raised);
// Without CAP_SETPCAP it stays as it is.
void empty_bounding_set();

}  // namespace lab::sandbox
