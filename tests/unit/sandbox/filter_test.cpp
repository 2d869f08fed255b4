// Compiled filters, evaluated without the kernel.
#include <gtest/gtest.h>
#include <sys/syscall.h>

#include <set>
#include <string>

#include "sandbox/seccomp.hpp"
#include "support/bpf_evaluator.hpp"
#include "system/error.hpp"
#include "system/exempt.hpp"

namespace lab::sandbox {
namespace {

using scenario::FilterAction;
using scenario::Range;
using scenario::Seccomp;
using scenario::SeccompRule;

#if defined(__x86_64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_X86_64, kForeign = AUDIT_ARCH_I386;
#elif defined(__aarch64__)
constexpr std::uint32_t kNative = AUDIT_ARCH_AARCH64, kForeign = AUDIT_ARCH_ARM;
#endif

SeccompRule rule(std::vector<std::string> calls, FilterAction kind, std::optional<Range> when = {}) {
  return {.calls = std::move(calls),
          .action = {.kind = kind, .error = kind == FilterAction::fail ? EMFILE : 0},
          .when = when};
}

seccomp_data call(long number, std::uint64_t sixth = 0, std::uint32_t arch = kNative) {
  seccomp_data data{};
  data.nr = static_cast<int>(number);
  data.arch = arch;
  data.args[5] = sixth;
  return data;
}

std::uint32_t answer(const Seccomp& seccomp, long number, bool program = false, std::uint64_t sixth = 0) {
  return test::BpfEvaluator(compile(seccomp, program).program)(call(number, sixth)) & SECCOMP_RET_ACTION_FULL;
}

TEST(Filter, EachStaticActionIsTheKernels) {
  const std::pair<FilterAction, std::uint32_t> expected[] = {{FilterAction::kill_process, SECCOMP_RET_KILL_PROCESS},
                                                             {FilterAction::kill_thread, SECCOMP_RET_KILL_THREAD},
                                                             {FilterAction::trap, SECCOMP_RET_TRAP},
                                                             {FilterAction::log, SECCOMP_RET_LOG}};
  for (const auto& [action, value] : expected) {
    const Seccomp seccomp{.rules = {rule({"accept4"}, action)}};
    EXPECT_EQ(answer(seccomp, SYS_accept4), value);
    EXPECT_EQ(answer(seccomp, SYS_accept), SECCOMP_RET_ALLOW);
    EXPECT_FALSE(compile(seccomp).notifies);
  }
}

TEST(Filter, WhatIsCountedAsksTheNotifier) {
  for (const auto& one : {rule({"read"}, FilterAction::fail), rule({"read"}, FilterAction::stall),
                          rule({"read"}, FilterAction::kill_process, Range{.first = 3})}) {
    const Seccomp seccomp{.rules = {one}};
    EXPECT_EQ(answer(seccomp, SYS_read), SECCOMP_RET_USER_NOTIF);
    EXPECT_EQ(answer(seccomp, SYS_write), SECCOMP_RET_ALLOW);
    EXPECT_TRUE(compile(seccomp).notifies);
  }
}

TEST(Filter, TheFirstRuleOfACallDecides) {
  const Seccomp allowed_first{
      .rules = {rule({"read"}, FilterAction::allow), rule({"read", "write"}, FilterAction::kill_process)}};
  EXPECT_EQ(answer(allowed_first, SYS_read), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(allowed_first, SYS_write), SECCOMP_RET_KILL_PROCESS);
  // The kernel's precedence would make it a kill; the file's order makes it a log.
  const Seccomp log_first{.rules = {rule({"read"}, FilterAction::log), rule({"read"}, FilterAction::kill_process)}};
  EXPECT_EQ(answer(log_first, SYS_read), SECCOMP_RET_LOG);
}

TEST(Filter, AnAllowListKillsTheRestAndSparesBookkeeping) {
  const Seccomp seccomp{.fallback = {.kind = FilterAction::kill_process},
                        .rules = {rule({"accept4", "recvfrom"}, FilterAction::allow)}};
  EXPECT_EQ(answer(seccomp, SYS_accept4), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(seccomp, SYS_sendto), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(answer(seccomp, SYS_execve), SECCOMP_RET_KILL_PROCESS);
  for (const long always : {SYS_exit, SYS_exit_group, SYS_rt_sigreturn, SYS_restart_syscall})
    for (const bool program : {false, true}) EXPECT_EQ(answer(seccomp, always, program), SECCOMP_RET_ALLOW) << always;
  EXPECT_EQ(answer(seccomp, SYS_futex, false), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(seccomp, SYS_futex, true), SECCOMP_RET_KILL_PROCESS);
}

TEST(Filter, ARuleThatNamesBookkeepingMeetsIt) {
  const Seccomp seccomp{
      .rules = {rule({"mmap"}, FilterAction::fail), rule({"exit_group"}, FilterAction::kill_process)}};
  EXPECT_EQ(answer(seccomp, SYS_mmap), SECCOMP_RET_USER_NOTIF);
  EXPECT_EQ(answer(seccomp, SYS_exit_group), SECCOMP_RET_KILL_PROCESS);
}

TEST(Filter, TheTokenPassesEverythingAndNothingNearItDoes) {
  const Seccomp seccomp{.fallback = {.kind = FilterAction::kill_process}};
  const auto token = sys::exempt_token();
  EXPECT_EQ(answer(seccomp, SYS_execve, true, token), SECCOMP_RET_ALLOW);
  EXPECT_EQ(answer(seccomp, SYS_sendmsg, true, token), SECCOMP_RET_ALLOW);
  for (int bit = 0; bit < 64; ++bit)
    EXPECT_EQ(answer(seccomp, SYS_execve, true, token ^ (1ull << bit)), SECCOMP_RET_KILL_PROCESS) << bit;
  test::BpfEvaluator filter(compile(seccomp, true).program);
  auto elsewhere = call(SYS_execve);
  elsewhere.args[4] = token;
  EXPECT_EQ(filter(elsewhere), SECCOMP_RET_KILL_PROCESS);
}

TEST(Filter, AForeignAbiGetsTheFallbackOrPasses) {
  const auto foreign = [](const Seccomp& seccomp) {
    return test::BpfEvaluator(compile(seccomp, true).program)(call(3, 0, kForeign)) & SECCOMP_RET_ACTION_FULL;
  };
  const auto rules = std::vector{rule({"read"}, FilterAction::fail)};
  EXPECT_EQ(foreign({.rules = rules}), SECCOMP_RET_ALLOW);
  EXPECT_EQ(foreign({.fallback = {.kind = FilterAction::kill_process}, .rules = rules}), SECCOMP_RET_KILL_PROCESS);
  EXPECT_EQ(foreign({.fallback = {.kind = FilterAction::stall}, .rules = rules}), SECCOMP_RET_ALLOW);
}

TEST(Filter, EveryNamedCallOfAPileOfRulesMeetsItsOwn) {
  const std::pair<const char*, long> calls[] = {
      {"read", SYS_read},     {"write", SYS_write},       {"accept4", SYS_accept4}, {"connect", SYS_connect},
      {"sendto", SYS_sendto}, {"recvfrom", SYS_recvfrom}, {"close", SYS_close},     {"openat", SYS_openat},
      {"clone3", SYS_clone3}, {"bind", SYS_bind},         {"listen", SYS_listen},   {"shutdown", SYS_shutdown}};
  const std::pair<FilterAction, std::uint32_t> actions[] = {{FilterAction::kill_process, SECCOMP_RET_KILL_PROCESS},
                                                            {FilterAction::fail, SECCOMP_RET_USER_NOTIF},
                                                            {FilterAction::trap, SECCOMP_RET_TRAP}};
  Seccomp seccomp;
  for (std::size_t i = 0; i < std::size(calls); ++i)
    seccomp.rules.push_back(rule({calls[i].first}, actions[i % 3].first));
  for (std::size_t i = 0; i < std::size(calls); ++i)
    EXPECT_EQ(answer(seccomp, calls[i].second), actions[i % 3].second) << calls[i].first;
  EXPECT_EQ(answer(seccomp, SYS_getppid), SECCOMP_RET_ALLOW);
}

TEST(Filter, WhatANotifierCannotAnswerIsRefused) {
  for (const auto last : {FilterAction::kill_thread, FilterAction::trap}) {
    const Seccomp behind{.rules = {rule({"read"}, FilterAction::fail, Range{.first = 2}), rule({"read"}, last)}};
    EXPECT_THROW(compile(behind), sys::LabError);
    const Seccomp fallback{.fallback = {.kind = last},
                           .rules = {rule({"read"}, FilterAction::stall, Range{.first = 2})}};
    EXPECT_THROW(compile(fallback), sys::LabError);
    // An unconditional rule in between ends the search.
    const Seccomp between{.rules = {rule({"read"}, FilterAction::fail), rule({"read"}, last)}};
    EXPECT_NO_THROW(compile(between));
  }
}

TEST(Filter, UnknownNamesAreNamed) {
  try {
    compile({.rules = {rule({"acept4"}, FilterAction::trap)}});
    FAIL();
  } catch (const sys::LabError& error) {
    EXPECT_NE(std::string(error.what()).find("'acept4'"), std::string::npos) << error.what();
  }
}

TEST(Filter, ACallOfAnotherArchitectureIsNoError) {
  EXPECT_NO_THROW(compile({.rules = {rule({"socketcall"}, FilterAction::trap)}}));
}

TEST(Filter, NamesAndNumbersAreInverse) {
  EXPECT_EQ(call_number("accept4"), SYS_accept4);
  EXPECT_EQ(call_name(SYS_accept4), "accept4");
  EXPECT_EQ(call_number("no_such_call"), -1);
}

}  // namespace
}  // namespace lab::sandbox
