// What is asked of a task in a ptrace stop. Each answer may be "gone": SIGKILL takes a task out of any stop.
#pragma once

#include <linux/audit.h>
#include <signal.h>
#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "evidence/collectors/syscalls_decode.hpp"
#include "system/descriptor.hpp"

namespace lab::evidence {

#if defined(__x86_64__)
constexpr std::uint32_t native_arch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t native_arch = AUDIT_ARCH_AARCH64;
#else
#error "the call tracer is not written for this machine"
#endif

// Whether the tracer's filter stops at this call.
bool traced_call(unsigned nr);

// False when the task has gone; other failures of ptrace(2) throw KernelError.
bool still_there(long result, const char* what);

// Where in a call a task stands.
struct CallStop {
  enum Where { neither, entry, exit } where = neither;
  bool foreign = false;                // of another architecture's numbers
  std::uint64_t nr = 0, args[6] = {};  // at the entry
  std::int64_t result = 0;             // at the exit
};
std::optional<CallStop> call_stop(pid_t tid);           // PTRACE_GET_SYSCALL_INFO, kernel 5.3
std::optional<CallStop> registers(pid_t tid);           // the call a dying task was in
std::optional<std::uint64_t> event_message(pid_t tid);  // PTRACE_GETEVENTMSG
std::optional<siginfo_t> signal_info(pid_t tid);

// As many of `most` bytes at `address` as can be read: all, half, … at least 4; 0: none.
std::size_t read_memory(pid_t tid, std::uint64_t address, void* to, std::size_t most);

// Its descriptor's connection; nothing when that is not a TCP socket, or when it could not be looked at: `error` then
// says why (0, EBADF, ENOTSOCK: there is none; ESRCH: it has gone). `process`: its pidfd.
std::optional<Ends> connection_of(int process, int fd, int& error);

// Of /proc.
pid_t process_of(pid_t tid);          // thread group; 0: gone
std::string name_of_task(pid_t tid);  // comm
bool ignores(pid_t tid, int signal);
// The call a task sleeps in, and its arguments; nothing when it runs.
std::optional<CallStop> sleeping_in(pid_t tid);

}  // namespace lab::evidence
