// What happens to an actor between fork and its first step or exec. Called in the actor's own process.
#pragma once

#include <sys/types.h>

#include "sandbox/sandbox.hpp"
#include "scenario/types.hpp"

namespace lab::sandbox {

struct Confinement {
  const scenario::Limits* limits = nullptr;      // may be null
  bool program = false;          // an exec follows; a step actor's `as` counts on top of what it has mapped already
  bool keep_capabilities = false;// the operator only
  Identity identity;
};

// In this order: an own user namespace where nproc is limited (so that only this actor's tasks count), limits,
// no-new-privileges, every capability dropped (bounding set too), descriptors from 3 on closed except `keep`.
// Seccomp is loaded after this, by load_filter(). Throws KernelError.
void confine(const Confinement& how, int keep_fd = -1);

}  // namespace lab::sandbox
