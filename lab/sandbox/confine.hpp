// What happens to an actor between fork and its first step or exec. Called in the actor's own process.
#pragma once

#include <sys/types.h>

#include <vector>

#include "sandbox/sandbox.hpp"
#include "scenario/types.hpp"

namespace lab::sandbox {

struct Confinement {
  const scenario::Limits* limits = nullptr;  // may be null
  bool program = false;  // an exec follows; a step actor's `as` counts on top of what it has mapped already
  // The operator only, and a shell: a program keeps them through its exec (ambient set).
  bool keep_capabilities = false;
  Identity identity;
  std::vector<int> keep;  // more descriptors to leave open, beside `keep_fd` (a notifier's mailbox())
};

// In this order: an own user namespace where nproc is limited (so that only this actor's tasks count), descriptors from
// 3 on closed except those to keep, no-new-privileges, every capability dropped (bounding set too), limits.
// Seccomp is loaded after this, by Notifier::install() or load(). Throws KernelError that names the limit.
// `nproc` is the kernel's: all tasks of this actor, its first one included. `cpu` is rounded up to seconds: SIGXCPU
// then, SIGKILL a second later. No core files, and no core handler of the host (RLIMIT_CORE 1: fs/coredump.c).
void confine(const Confinement& how, int keep_fd = -1);

}  // namespace lab::sandbox
