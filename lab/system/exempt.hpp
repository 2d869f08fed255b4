// System calls that no filter of the lab's own hits, for what an actor does besides its steps: handing over a listener,
// telling that it is ready, starting its program.
//
// seccomp filters see all six argument registers (struct seccomp_data), and calls with fewer arguments ignore the rest
// of them. Filters of sandbox/ begin with "sixth argument equals the token: allow". A program that was started does not
// know the token: its memory is new.
#pragma once

#include <cstdint>

namespace lab::sys {

// Random, drawn on first use and the same in every child forked later: first used before the first fork.
std::uint64_t exempt_token();

// As syscall(2), for calls with at most five arguments: -1 and errno, or the result.
long exempt_syscall(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0);

// As execve(2) and execvpe(3): they return, with errno set, only when the program could not be started.
int exempt_execve(const char* path, char* const argv[], char* const envp[]);
int exempt_execvpe(const char* file, char* const argv[], char* const envp[]);

}  // namespace lab::sys
