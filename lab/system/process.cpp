#include "system/process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "system/error.hpp"

namespace lab::sys {
namespace {

// waitid(2) reports what waitpid(2) packs into one number.
int pack(const siginfo_t& ended) {
  if (ended.si_code == CLD_EXITED) return (ended.si_status & 0xff) << 8;
  return (ended.si_status & 0x7f) | (ended.si_code == CLD_DUMPED ? 0x80 : 0);
}

}  // namespace

Pipe make_pipe(int flags) {
  int ends[2];
  check(::pipe2(ends, flags | O_CLOEXEC), "pipe");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Pair make_pair(int type) {
  int ends[2];
  check(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends), "socket pair");
  return {Descriptor(ends[0]), Descriptor(ends[1])};
}

Descriptor open_process(pid_t pid) {
  return Descriptor(static_cast<int>(check(::syscall(SYS_pidfd_open, pid, 0), "process " + std::to_string(pid))));
}

bool send_signal(int pidfd, int signal) {
  const auto sent = ::syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0);
  if (sent == -1 && errno == ESRCH) return false;
  check(sent, "send " + signal_name(signal));
  return true;
}

Descriptor take_descriptor(int pidfd, int number, std::string_view object) {
  return Descriptor(static_cast<int>(check(::syscall(SYS_pidfd_getfd, pidfd, number, 0), object)));
}

int reap(int pidfd) {
  siginfo_t ended{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &ended, WEXITED) == -1)
    if (errno != EINTR) check(-1, "wait for a process");
  return pack(ended);
}

}  // namespace lab::sys
