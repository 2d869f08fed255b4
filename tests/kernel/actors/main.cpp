// These tests act in namespaces of their own: for each test a network with loopback up and nothing else, and one tree
// of processes, so that no signal sent by mistake can reach beyond the test.
#include <gtest/gtest.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "system/descriptor.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "troupe.hpp"

namespace {

// Limits on processes never bite for root on the outside, whatever it is called inside.
void become_nobody() {
  constexpr unsigned kNobody = 65534;
  lab::sys::check(::setresgid(kNobody, kNobody, kNobody), "setresgid");
  lab::sys::check(::setresuid(kNobody, kNobody, kNobody), "setresuid");
  lab::sys::check(::prctl(PR_SET_DUMPABLE, 1), "dumpable");  // or /proc/self stays root's
}

void enter_own_namespaces() {
  if (::getuid() == 0) become_nobody();
  const auto uid = std::to_string(::getuid()), gid = std::to_string(::getgid());
  lab::sys::check(::unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS), "unshare");
  lab::sys::write_file("/proc/self/setgroups", "deny");
  lab::sys::write_file("/proc/self/uid_map", uid + " " + uid + " 1");
  lab::sys::write_file("/proc/self/gid_map", gid + " " + gid + " 1");
}

}  // namespace

void lab::test::enter_fresh_network() {
  lab::sys::check(::unshare(CLONE_NEWNET), "unshare the network");
  const lab::sys::Descriptor any(lab::sys::check(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket"));
  ifreq link{};
  std::strcpy(link.ifr_name, "lo");
  link.ifr_flags = IFF_UP | IFF_RUNNING;
  lab::sys::check(::ioctl(any.get(), SIOCSIFFLAGS, &link), "lo up");
}

namespace {

// What one test does to its links, routes and policies is gone for the next.
class FreshNetwork : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo&) override { lab::test::enter_fresh_network(); }
};

// The tests are the namespace's init: whatever they leave behind dies with them. Only the first process of a pid
// namespace may be in it, so this one stays outside and hands on the exit status.
[[noreturn]] void run_inside(int (*tests)()) {
  const pid_t inside = lab::sys::check(::fork(), "fork");
  if (inside == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    lab::sys::check(::getpid() == 1 ? 0 : -1, "a pid namespace of its own");
    lab::sys::check(::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr), "mount /proc");
    std::exit(tests());
  }
  int status = 0;
  lab::sys::check(::waitpid(inside, &status, 0), "wait");
  // Not by exit: a sanitizer's last act needs a process, and there can be none once the namespace's init is gone.
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

}  // namespace

int main(int argc, char** argv) {
  const bool lists = argc > 1 && std::string(argv[1]).starts_with("--gtest_list_tests");
  testing::InitGoogleTest(&argc, argv);
  rlimit core{};
  ::getrlimit(RLIMIT_CORE, &core);
  core.rlim_cur = 0;
  ::setrlimit(RLIMIT_CORE, &core);
  if (lists) return RUN_ALL_TESTS();
  enter_own_namespaces();
  testing::UnitTest::GetInstance()->listeners().Append(new FreshNetwork);
  run_inside([] { return RUN_ALL_TESTS(); });
}
