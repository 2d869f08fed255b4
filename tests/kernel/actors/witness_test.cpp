// strace as a witness: each verb is the one system call that the table says, and recording makes none.
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "troupe.hpp"

namespace lab::test {
namespace {

// Attaches strace to a child that has stopped itself, and lets it go on once strace has it.
class Witness {
 public:
  Witness() {
    std::string name = "/tmp/lab-strace-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~Witness() { std::filesystem::remove_all(folder_); }

  void watch(pid_t pid) {
    ::waitpid(pid, nullptr, WUNTRACED);
    strace_ = ::fork();
    if (strace_ == 0) {
      ::execlp("strace", "strace", "-f", "-qq", "-e", "signal=none", "-o", (folder_ + "/calls").c_str(), "-p",
               std::to_string(pid).c_str(), nullptr);
      ::_exit(127);
    }
    while (tracer_of(pid) != strace_) {
      ASSERT_EQ(::waitpid(strace_, nullptr, WNOHANG), 0) << "strace could not attach";
      ::sched_yield();
    }
    ::kill(pid, SIGCONT);
  }

  // The calls between the child's first and its end, in the order in which they began.
  std::vector<std::string> calls() {
    ::waitpid(strace_, nullptr, 0);
    std::vector<std::string> all;
    std::ifstream in(folder_ + "/calls");
    for (std::string line; std::getline(in, line);) {
      std::istringstream words(line);
      std::string pid, call;
      words >> pid >> call;
      if (call.starts_with("<...") || call.starts_with("---") || call.starts_with("+++")) continue;
      // The first is strace's doing, the second a sanitizer's.
      if (const auto name = call.substr(0, call.find('(')); name != "restart_syscall" && name != "sigaltstack")
        all.push_back(name);
    }
    return all;
  }

 private:
  static pid_t tracer_of(pid_t pid) {
    std::ifstream in("/proc/" + std::to_string(pid) + "/status");
    for (std::string word; in >> word;) {
      if (word != "TracerPid:") continue;
      pid_t tracer = 0;
      in >> tracer;
      return tracer;
    }
    return 0;
  }

  std::string folder_;
  pid_t strace_ = 0;
};

// The system calls that an actor makes from its first step on.
std::vector<std::string> calls_of(const scenario::Actor& actor, const std::vector<scenario::Actor>& others) {
  std::vector<scenario::Actor> all{actor};
  all.insert(all.end(), others.begin(), others.end());
  Troupe troupe(all);
  Witness witness;
  troupe.prepare = [&](const scenario::Actor& who, std::uint32_t i, int keep_fd) {
    confined(who, i, keep_fd);  // strace may watch who has no more capabilities than itself
    if (who.place.line == 1) ::raise(SIGSTOP);
  };
  troupe.started = [&](const scenario::Actor& who, const std::vector<pid_t>& pids) {
    if (who.place.line == 1) witness.watch(pids.at(0));
  };
  troupe.play();
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(troupe.status(i), 0) << troupe.told(i);
  auto calls = witness.calls();
  // The tail of the SIGSTOP that this test raised.
  while (!calls.empty() && (calls[0] == "tgkill" || calls[0] == "rt_sigprocmask" || calls[0] == "getpid")) {
    calls.erase(calls.begin());
  }
  return calls;
}

scenario::Actor watched(scenario::Actor actor) {
  actor.place.line = 1;
  return actor;
}

TEST(Witness, ClientsVerbs) {
  const auto calls = calls_of(
      watched(client({"connect", "send 'one'", "send 100KiB", "recv", "recv-exactly 1000", "expect 'end'",
                      "shutdown write", "recv-until-eof", "sleep 1ms", "print 'x'", "close"})),
      {server({"accept", "recv-exactly 102403", "send 'r'", "sleep 20ms", "send 1000", "send 'end'", "recv"})});
  // gettid and getsockname are the lab's own, out of every filter's sight; so is the end.
  EXPECT_THAT(calls, testing::ElementsAre("gettid", "socket", "connect", "getsockname", "sendto", "sendto", "recvfrom",
                                          "recvfrom", "recvfrom", "shutdown", "recvfrom", "clock_nanosleep", "write",
                                          "close", "exit_group"));
}

TEST(Witness, ServersVerbs) {
  const auto calls = calls_of(watched(server({"accept", "recv 3", "send 'answer'", "close", "close-listener"})),
                              {client({"connect", "send 'one'", "recv", "recv"})});
  EXPECT_THAT(calls, testing::ElementsAre("socket", "setsockopt", "bind", "listen", "write", "close", "gettid",
                                          "accept4", "recvfrom", "sendto", "close", "close", "exit_group"));
}

TEST(Witness, TimeoutsAreSetWhenTheyChange) {
  const auto calls =
      calls_of(watched(client({"connect timeout=1s", "recv timeout=1ms", "recv timeout=1ms", "send 'x'"})),
               {server({"accept", "recv"})});
  EXPECT_THAT(calls, testing::ElementsAre("gettid", "socket", "setsockopt", "connect", "getsockname", "setsockopt",
                                          "recvfrom", "recvfrom", "setsockopt", "sendto", "exit_group"));
}

TEST(Witness, ResetOptionsAndNames) {
  const auto calls = calls_of(
      watched(client({"connect as=it", "option nodelay 1", "use it", "wait-unread 1", "option cloexec 1", "reset it"})),
      {server({"accept", "send 'x'", "recv"})});
  EXPECT_THAT(calls, testing::ElementsAre("gettid", "socket", "connect", "getsockname", "setsockopt", "setsockopt",
                                          "poll", "ioctl", "setsockopt", "fcntl", "setsockopt", "close", "exit_group"));
}

TEST(Witness, Resources) {
  const auto calls =
      calls_of(watched(client({"open-files 2", "allocate 64KiB", "write-file 10", "signal witness"})), {});
  EXPECT_THAT(calls, testing::ElementsAre("gettid", "openat", "openat", "mmap", "openat", "write", "close", "futex",
                                          "exit_group"));
}

TEST(Witness, ForksAndThreads) {
  auto forks = calls_of(watched(client({"fork 'sleep 1ms'", "sleep 20ms"})), {});
  EXPECT_EQ(std::count(forks.begin(), forks.end(), "clone"), 1);
  auto threads = calls_of(watched(client({"start-thread 'sleep 1ms'"})), {});
  EXPECT_EQ(std::count(threads.begin(), threads.end(), "clone3"), 1);
  EXPECT_EQ(std::count(threads.begin(), threads.end(), "clock_nanosleep"), 1);
}

TEST(Witness, AnOutsideProgramsFirstCallIsExecve) {
  const auto calls = calls_of(watched(program(Role::client, {"true"})), {});
  ASSERT_FALSE(calls.empty());
  EXPECT_EQ(calls[0], "execve");
  EXPECT_EQ(std::count(calls.begin(), calls.end(), "execve"), 1);
}

}  // namespace
}  // namespace lab::test
