#include "support/netns.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

#include "system/clock.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"

namespace lab::test {
namespace {

void write_file(const char* path, const std::string& text) {
  const sys::Descriptor file(sys::check(::open(path, O_WRONLY | O_CLOEXEC), path));
  sys::check(::write(file.get(), text.data(), text.size()), path);
}

void enter() {
  const auto uid = ::getuid();
  const auto gid = ::getgid();
  sys::check(::unshare(CLONE_NEWUSER | CLONE_NEWNET), "unshare");
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + std::to_string(uid) + " 1");
  write_file("/proc/self/gid_map", "0 " + std::to_string(gid) + " 1");
  const sys::Descriptor any(sys::check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  sys::check(::ioctl(any.get(), SIOCSIFFLAGS, &request), "lo up");
}

}  // namespace

void in_namespace(const std::function<void()>& body) {
  std::fflush(nullptr);
  const pid_t child = sys::check(::fork(), "fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    try {
      enter();
      body();
    } catch (const std::exception& error) {
      ADD_FAILURE() << "exception: " << error.what();
    }
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  sys::check(::waitpid(child, &status, 0), "waitpid");
  EXPECT_EQ(status, 0) << "the child in the namespace failed: see above";
}

std::string output_of(const std::string& command) {
  FILE* pipe = ::popen(("(" + command + "\n) 2>&1").c_str(), "r");
  if (!pipe) throw sys::KernelError(errno, command);
  std::string text;
  std::array<char, 65536> room;
  for (std::size_t n = 0; (n = std::fread(room.data(), 1, room.size(), pipe)) > 0;) text.append(room.data(), n);
  ::pclose(pipe);
  return text;
}

bool wait_until(const std::function<bool()>& done) {
  const auto deadline = sys::Deadline::after_ns(10'000'000'000);
  while (!done()) {
    if (deadline.passed()) return false;
    ::usleep(1000);
  }
  return true;
}

}  // namespace lab::test
