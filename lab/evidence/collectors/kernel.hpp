// Kernel evidence through BPF, for a lab that is root outside: drops, resets, retransmissions, TCP states, signals
// and the system calls of outside programs. One probe serves many runs at once: it is loaded and attached once, and
// each sandbox is added to its filter by the inode numbers of its namespaces.
//
// What it watches is the caller's own kernel, but only what happens in the sandboxes that were added; everything it
// made is gone when its descriptors are closed, by the destructor or by the kernel.
//
// How run/ wires it, in this order:
//   1. outer lab: KernelProbe::load(), while sandboxes are being made (it takes milliseconds; docs in
//   kernel_probe.cpp).
//   2. outer lab: watch(namespaces_of(init's pid on the host)) before init starts its first actor; init waits for a
//      byte meanwhile. Network namespaces that init makes besides its own belong to its user namespace: they are in.
//   3. outer lab: drain() whenever descriptor() is readable.
//   4. outer lab: after init has been reaped, drain() then finish(id). A call that an actor is still in is reported
//   when
//      its task exits, with the time it began; so nothing has to be collected while the actors live.
//
// CPU time of loading and attaching: packets 3 ms; calls 5 ms more, on a busy machine 14; 50 ms more where nothing is
// cached for the kernel. So `calls` are worth their price only where a program will be run.
//
// System calls are those of tasks that have called execve inside the sandbox: not init's, not step actors'. They are
// the ones in syscalls_table.cpp: on TCP sockets all, else failures; ENOENT from open is left out, and a call repeated
// more than a thousand times a second is counted and its last occurrence told. io_uring's work is not seen (finish()
// says when it was set up), nor are 32-bit programs' calls. Older kernels (6.1) let go of a file only on the way back
// from close(2): what that does to its connection is then later than the call's return.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "evidence/event.hpp"

namespace lab::evidence {

// Inode numbers as /proc/PID/ns/* shows them. A packet or socket belongs to the sandbox when `user` owns its network
// namespace, a task when it is in the pid namespace `pid` (system calls: or at most three below it).
struct Namespaces {
  std::uint32_t user = 0, pid = 0;
};
// Those of a process. Throws KernelError when it is gone.
Namespaces namespaces_of(pid_t pid);

class KernelProbe {
 public:
  struct Wanted {
    bool packets = true;  // kernel: drops, resets, retransmissions, states; and signals
    bool calls = true;    // system calls of outside programs; costs every process of the machine a few ns a call
    bool hurry = false;   // the end does not wait until it is detached (system/parting.hpp)
    bool little = false;  // a few connections of steps are all that there is to tell
  };
  using Sandbox = std::uint32_t;
  using Deliver = std::function<void(Sandbox, Event&&)>;

  // Loads and attaches. Throws Unavailable with the reason ("built without BPF", "needs root", no BTF, …).
  static std::unique_ptr<KernelProbe> load(Wanted wanted);
  // What load() says before it tries: root, the kernel's BTF. Loads nothing.
  static std::string why_not();

  virtual ~KernelProbe() = default;

  // At most 1024 at a time; throws LabError beyond that, KernelError when the kernel refuses.
  virtual Sandbox watch(const Namespaces& namespaces) = 0;
  // Readable when the ring is a quarter full, which short runs never reach: drain at their end.
  virtual int descriptor() const = 0;
  // Hands out what is in the ring, oldest first on each CPU; never blocks. Events of unknown sandboxes are dropped.
  // One thread at a time.
  virtual void drain(const Deliver& deliver) = 0;
  // The sandbox is gone: delivers what was held back of its repeated calls, takes it off the filter, and says how the
  // collectors "kernel", "signals" and "syscalls" fared for it.
  virtual std::vector<Collector> finish(Sandbox sandbox, const Deliver& deliver) = 0;
};

}  // namespace lab::evidence
