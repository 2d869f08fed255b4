#include "sandbox/sandbox.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "sandbox/confine.hpp"
#include "sandbox/seccomp.hpp"
#include "system/exempt.hpp"
#include "system/process.hpp"

namespace {

using namespace lab::sandbox;
namespace scenario = lab::scenario;

Plan small() {
  Plan plan{.identity = invoker()};
  plan.programs = false;
  return plan;
}

// The exit status of what runs as init in a furnished sandbox.
int inside_one(const std::function<int()>& work, Plan plan = small()) {
  auto box = Sandbox::make(plan, [&] {
    furnish(plan);
    return work();
  });
  const int status = box.wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

ino_t namespace_of(const char* kind) {
  struct stat st {};
  ::stat((std::string("/proc/self/ns/") + kind).c_str(), &st);
  return st.st_ino;
}

// A child's exit status, as a test's own witness.
int in_child(const std::function<int()>& work) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(work());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Sandbox, HasSixNamespacesOfItsOwn) {
  for (const char* kind : {"user", "net", "pid", "mnt", "ipc", "uts"}) {
    const auto outside = namespace_of(kind);
    EXPECT_EQ(inside_one([&] { return namespace_of(kind) == outside ? 1 : 0; }), 0) << kind;
  }
}

TEST(Sandbox, NobodyInsideIsRoot) {
  EXPECT_EQ(inside_one([] { return ::getuid() != 0 && ::geteuid() != 0 && ::getgid() != 0 ? 0 : 1; }), 0);
  EXPECT_EQ(inside_one([] { return ::getpid() == 1 ? 0 : 1; }), 0);
}

TEST(Sandbox, LoopbackCarriesAnyPort) {
  EXPECT_EQ(inside_one([] {
              const int s = ::socket(AF_INET, SOCK_STREAM, 0);
              sockaddr_in at{};
              at.sin_family = AF_INET;
              at.sin_port = htons(80);
              at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
              if (::bind(s, reinterpret_cast<sockaddr*>(&at), sizeof at) || ::listen(s, 1)) return 1;
              const int c = ::socket(AF_INET, SOCK_STREAM, 0);
              return ::connect(c, reinterpret_cast<sockaddr*>(&at), sizeof at) ? 2 : 0;
            }),
            0);
}

TEST(Sandbox, SysctlsAreSet) {
  auto plan = small();
  plan.network.sysctl = {{"net.ipv4.tcp_retries2", "3"}};
  EXPECT_EQ(inside_one(
                [] {
                  int value = 0;
                  std::ifstream("/proc/sys/net/ipv4/tcp_retries2") >> value;
                  return value == 3 ? 0 : 1;
                },
                plan),
            0);
}

TEST(Sandbox, WhatANamespaceCannotSetHasAReason) {
  EXPECT_EQ(why_not_settable("net.ipv4.tcp_retries2"), "");
  EXPECT_NE(why_not_settable("kernel.pid_max"), "");
  EXPECT_NE(why_not_settable("net.ipv4.no_such_thing"), "");
}

TEST(Sandbox, DiesWithItsMaker) {
  auto pipe = lab::sys::make_pipe();
  const pid_t maker = ::fork();
  if (maker == 0) {
    auto plan = small();
    plan.keep = {pipe.write.get()};
    auto box = Sandbox::make(plan, [&] {
      furnish(plan);
      if (::fork() == 0)
        for (;;) ::pause();  // an actor that would live for ever, and holds the pipe
      if (::write(pipe.write.get(), "x", 1) != 1) return 1;
      for (;;) ::pause();
    });
    pipe.write.reset();
    box.wait();
    ::_exit(0);
  }
  pipe.write.reset();
  char byte = 0;
  ASSERT_EQ(::read(pipe.read.get(), &byte, 1), 1);
  ::kill(maker, SIGKILL);
  ::waitpid(maker, nullptr, 0);
  // End of file: nobody is left who holds the other end.
  pollfd end{pipe.read.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 10'000), 1);
  EXPECT_EQ(::read(pipe.read.get(), &byte, 1), 0);
}

TEST(Confine, DropsEveryCapabilityAndDescriptor) {
  EXPECT_EQ(inside_one([] {
              return in_child([] {
                ::open("/dev/null", O_RDONLY);
                confine({.identity = invoker()});
                if (::fcntl(3, F_GETFD) != -1) return 1;
                std::ifstream status("/proc/self/status");
                for (std::string line; std::getline(status, line);) {
                  if ((line.starts_with("CapEff:") || line.starts_with("CapBnd:") || line.starts_with("CapPrm:")) &&
                      line.find("0000000000000000") == std::string::npos)
                    return 2;
                  if (line.starts_with("NoNewPrivs:") && line.find('1') == std::string::npos) return 3;
                }
                return 0;
              });
            }),
            0);
}

TEST(Confine, TheProcessLimitCountsThisActorOnly) {
  EXPECT_EQ(inside_one([] {
              return in_child([] {
                scenario::Limits limits;
                limits.nproc = 4;
                confine({.limits = &limits, .identity = invoker()});
                int children = 0;
                for (; children < 10; ++children) {
                  const pid_t pid = ::fork();
                  if (pid == 0)
                    for (;;) ::pause();
                  if (pid < 0) break;
                }
                return children == 3 && errno == EAGAIN ? 0 : 10 + children;  // and itself
              });
            }),
            0);
}

TEST(Seccomp, AKilledCallKillsTheProcess) {
  scenario::Seccomp wanted;
  wanted.rules = {{.calls = {"getppid"}, .action = {.kind = scenario::FilterAction::kill_process}}};
  EXPECT_EQ(inside_one([&] {
              const auto filter = compile(wanted);
              return in_child([&] {
                confine({.identity = invoker()});
                load(filter);
                ::getppid();
                return 0;
              });
            }),
            128 + SIGSYS);
}

#if defined(__x86_64__)
// No argument register but those of its own two arguments is written.
long bare_shutdown(long fd, long how) {
  long result = SYS_shutdown;
  asm volatile("syscall" : "+a"(result) : "D"(fd), "S"(how) : "rcx", "r11", "memory");
  return result;
}

TEST(Seccomp, ACallBehindAnExemptOneIsNotExempt) {
  scenario::Seccomp wanted;
  wanted.rules = {{.calls = {"shutdown"}, .action = {.kind = scenario::FilterAction::kill_process}}};
  EXPECT_EQ(inside_one([&] {
              const auto filter = compile(wanted);
              return in_child([&] {
                confine({.identity = invoker()});
                load(filter);
                lab::sys::exempt_syscall(SYS_close, -1);
                bare_shutdown(-1, 0);
                return 0;
              });
            }),
            128 + SIGSYS);
}
#endif

TEST(Seccomp, TheNotifierFailsTheThirdCallOnly) {
  scenario::Seccomp wanted;
  wanted.rules = {{.calls = {"getppid"},
                   .action = {.kind = scenario::FilterAction::fail, .error = EPERM},
                   .when = scenario::Range{.first = 3, .last = 3}}};
  EXPECT_EQ(inside_one([&] {
              std::uint64_t reported = 0;
              Notifier notifier(wanted, [&](const Answered& answered) {
                reported += answered.error == EPERM && answered.count == 3;
              });
              const auto filter = compile(wanted);
              const pid_t child = ::fork();
              if (child == 0) {
                confine({.identity = invoker(), .keep = {notifier.mailbox()}});
                notifier.install(filter);
                int failed = 0;
                for (int call = 1; call <= 5; ++call) {
                  errno = 0;
                  if (::syscall(SYS_getppid) == -1 && errno == EPERM) failed = failed * 10 + call;
                }
                ::_exit(failed == 3 ? 0 : failed % 40 + 1);
              }
              int status = 0;
              while (::waitpid(child, &status, WNOHANG) == 0) {
                std::vector<pollfd> waiting;
                for (int fd : notifier.descriptors()) waiting.push_back({fd, POLLIN, 0});
                ::poll(waiting.data(), waiting.size(), 10);
                for (const auto& one : waiting)
                  if (one.revents) notifier.serve(one.fd);
              }
              if (status != 0) return WIFSIGNALED(status) ? 100 + WTERMSIG(status) : 50 + WEXITSTATUS(status);
              if (reported != 1) return 2;
              return notifier.fired(0) == 1 ? 0 : 3;
            }),
            0);
}

}  // namespace
