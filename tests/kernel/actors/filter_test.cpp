// The sandbox's own filters, and others, over steps.
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "sandbox/seccomp.hpp"
#include "system/error.hpp"
#include "troupe.hpp"

namespace lab::test {
namespace {

scenario::Seccomp filter(const std::string& call, scenario::FilterAction action,
                         scenario::FilterAction otherwise = scenario::FilterAction::allow) {
  scenario::Seccomp seccomp;
  seccomp.fallback.kind = otherwise;
  seccomp.rules.push_back({.calls = {call}, .action = {.kind = action}});
  return seccomp;
}

// Static ERRNO, which sandbox/ leaves to its notifier.
void deny(long call) {
  sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                           BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(call), 0, 1),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
                           BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  const sock_fprog all{static_cast<unsigned short>(std::size(program)), program};
  sys::check(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all), "a filter of this test");
}

// ---- filters

struct Aim {
  const char* call;
  std::vector<std::string> steps;
  const char* told;  // up to the step that the filter kills
};

class Filtered : public testing::TestWithParam<Aim> {};

// A filter that kills on one call meets exactly the verb that stands for it.
TEST_P(Filtered, MeetsItsVerbAndNothingElse) {
  const auto& aim = GetParam();
  auto serves = server(aim.steps);
  serves.seccomp = filter(aim.call, scenario::FilterAction::kill_process);
  Troupe troupe({serves, client({"connect", "send 'hello'", "recv timeout=300ms"})});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), aim.told);
  EXPECT_TRUE(WIFSIGNALED(troupe.status(0)) && WTERMSIG(troupe.status(0)) == SIGSYS) << troupe.status(0);
}

INSTANTIATE_TEST_SUITE_P(
    Every, Filtered,
    testing::Values(Aim{"accept4", {"sleep 1ms", "accept"}, "sleep ok, accept stopped"},
                    Aim{"recvfrom", {"accept timeout=2s", "recv timeout=1s"}, "accept ok, recv stopped"},
                    Aim{"sendto", {"accept", "recv", "send 'x'"}, "accept ok, recv 5 bytes, send stopped"},
                    Aim{"shutdown", {"accept", "recv", "shutdown both"}, "accept ok, recv 5 bytes, shutdown stopped"},
                    Aim{"close",
                        {"accept", "write-file 10", "wait-unread 5", "close"},
                        "accept ok, write-file 10 bytes, wait-unread ok, close stopped"},
                    Aim{"write", {"accept", "recv", "write-file 10"}, "accept ok, recv 5 bytes, write-file stopped"},
                    Aim{"openat", {"accept", "recv", "open-files 1"}, "accept ok, recv 5 bytes, open-files stopped"},
                    Aim{"futex", {"accept", "recv", "signal filtered"}, "accept ok, recv 5 bytes, signal stopped"},
                    Aim{"clock_nanosleep", {"accept", "sleep 1ms"}, "accept ok, sleep stopped"},
                    Aim{"execve", {"accept", "exec true"}, "accept ok, exec ok"}),
    [](const auto& about) { return std::string(about.param.call); });

TEST(Filters, DenyingAllButTheStepsOwnCalls) {
  auto serves = server({"accept timeout=2s", "recv timeout=2s", "send 'x'"});
  serves.seccomp = filter("accept4", scenario::FilterAction::allow, scenario::FilterAction::kill_process);
  for (const char* call : {"socket", "setsockopt", "bind", "listen", "recvfrom", "sendto"})
    serves.seccomp->rules[0].calls.push_back(call);
  Troupe troupe({serves, client({"connect", "send 'hello'", "recv"})});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv 5 bytes, send 1 bytes");
  EXPECT_EQ(troupe.status(0), 0) << "the end of the steps is no call of theirs";
}

TEST(Filters, TimeoutsAreNoSetsockoptOfTheSteps) {
  auto careful = client({"connect timeout=1s", "send 'hello' timeout=1s", "recv timeout=20ms", "option nodelay 1"});
  careful.seccomp = filter("setsockopt", scenario::FilterAction::kill_process);
  Troupe troupe({server({"accept", "recv", "recv"}), careful});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, send 5 bytes, recv timeout, option stopped");
  EXPECT_EQ(WTERMSIG(troupe.status(1)), SIGSYS);
}

TEST(Filters, FailedListenIsAPseudoStep) {
  auto serves = server({"accept"});
  Troupe troupe({serves, client({"connect"})});
  troupe.prepare = [](const scenario::Actor& actor, std::uint32_t i, int keep_fd) {
    confined(actor, i, keep_fd);
    if (actor.role == Role::server) deny(SYS_listen);
  };
  troupe.play();
  EXPECT_EQ(troupe.told(0), "listen EPERM, accept not reached");
  EXPECT_EQ(troupe[0].report()[0].call, "listen");
  EXPECT_EQ(troupe.told(1), "connect ECONNREFUSED");
  EXPECT_EQ(troupe.status(0), 0);
}

TEST(Filters, ASignalThatWakesNobodySaysSo) {
  Troupe troupe({server({"signal never-heard", "accept", "recv"}), client({"connect", "send 'x'"})});
  troupe.prepare = [](const scenario::Actor& actor, std::uint32_t i, int keep_fd) {
    confined(actor, i, keep_fd);
    if (actor.role == Role::server) deny(SYS_futex);
  };
  troupe.play();
  EXPECT_EQ(troupe.told(0), "signal EPERM, accept ok, recv 1 bytes");
}

}  // namespace
}  // namespace lab::test
