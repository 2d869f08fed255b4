// The floor: what no run can be faster than. A process that makes the same six namespaces as a sandbox does, brings
// loopback up and exits. Prints nothing; exit status 0 when all of it worked.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace {

int inside() {
  const int s = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq lo{};
  std::strcpy(lo.ifr_name, "lo");
  if (s < 0 || ::ioctl(s, SIOCGIFFLAGS, &lo) < 0) return 1;
  lo.ifr_flags |= IFF_UP;
  return ::ioctl(s, SIOCSIFFLAGS, &lo) < 0 ? 1 : 0;
}

}  // namespace

int main() {
  clone_args args{};
  args.flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
  args.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
  if (pid == 0) ::_exit(inside());
  if (pid < 0) {
    std::perror("clone3");
    return 1;
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
