// Processes and what connects them: pipes, socket pairs, process descriptors. man pipe, socketpair, pidfd_open.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "system/descriptor.hpp"

namespace lab::sys {

// Close-on-exec; blocking unless `flags` has O_NONBLOCK.
struct Pipe {
  Descriptor read, write;
};
Pipe make_pipe(int flags = 0);

// AF_UNIX, close-on-exec. `type`: SOCK_STREAM, SOCK_SEQPACKET, …; SOCK_NONBLOCK may be added.
struct Pair {
  Descriptor one, other;
};
Pair make_pair(int type);

// A process by descriptor: its number can't be taken over by another. Readable when the process has ended.
Descriptor open_process(pid_t pid);
// False when it has ended already. Throws KernelError for anything else.
bool send_signal(int pidfd, int signal);
// A copy of another process's descriptor (needs the right to ptrace it).
Descriptor take_descriptor(int pidfd, int number, std::string_view object);
// Reaps; blocks until it has ended. The wait status, as of waitpid.
int reap(int pidfd);

}  // namespace lab::sys
