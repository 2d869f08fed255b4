#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/syscalls.hpp"
#include "run/doctor.hpp"
#include "sandbox/seccomp.hpp"
#include "system/error.hpp"

namespace lab::run {

namespace {

// A filter can't be taken off again: in a child.
void try_filter(scenario::FilterAction action) {
  const auto child = sys::check(::fork(), "fork to try a filter");
  if (child == 0) {
    try {
      scenario::Seccomp rules{.fallback = {}, .rules = {{.calls = {"getppid"}, .action = {action, EPERM}}}};
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
      const auto listener = sandbox::load(sandbox::compile(rules));
      ::_exit(0);
    } catch (const sys::KernelError& error) {
      ::_exit(error.code().value() & 0xFF);
    } catch (...) {
      ::_exit(255);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) == -1 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) throw sys::LabError("the filter killed the try");
  if (WEXITSTATUS(status) == 255) throw sys::LabError("libseccomp could not compile a filter");
  if (WEXITSTATUS(status) != 0) throw sys::KernelError(WEXITSTATUS(status), "seccomp");
}

std::vector<Ability> examine_seccomp() {
  const std::string fix = "a kernel with CONFIG_SECCOMP_FILTER; inside a container, a profile that allows seccomp";
  std::vector<Ability> all;
  Ability plain{.kind = "seccomp", .name = "filter", .loss = "scenarios with [seccomp] are skipped"};
  all.push_back(tried(plain, [] { try_filter(scenario::FilterAction::trap); }));
  Ability counted{.kind = "seccomp", .name = "notifier", .loss = "seccomp rules with errno, stall or when are skipped"};
  all.push_back(tried(counted, [] { try_filter(scenario::FilterAction::fail); }));
  for (auto& one : all) {
    if (!one.yes) one.fix = fix;
  }
  return all;
}

template <class Make>
Ability collector(const char* name, const char* loss, const char* fix, Make make) {
  auto ability = tried({.kind = "collector", .name = name, .loss = loss}, [&] { make(); });
  if (!ability.yes) ability.fix = fix;
  return ability;
}

}  // namespace

std::vector<Ability> examine_inside() {
  auto all = examine_netfilter();
  for (auto& one : examine_seccomp()) all.push_back(one);
  all.push_back(collector("wire", "segments are not seen", "CONFIG_PACKET: modprobe af_packet",
                          [] { evidence::make_wire("", false); }));
  all.push_back(collector("nft-trace", "no rule can be named as culprit", "modprobe nf_tables",
                          [] { evidence::make_trace(""); }));
  all.push_back(
      collector("changes", "changes of rules, links and routes are not seen", "", [] { evidence::make_changes(""); }));
  all.push_back(collector("counters", "counters are not compared", "", [] { evidence::make_counters(""); }));
  all.push_back(collector("conntrack", "translated flows are not followed", "modprobe nf_conntrack_netlink",
                          [] { evidence::make_conntrack(""); }));
  all.push_back(
      collector("sockets", "states of sockets are not seen", "modprobe tcp_diag", [] { evidence::make_sockets(""); }));
  all.push_back(
      collector("processes", "states and limits of processes are not seen", "", [] { evidence::make_processes(); }));
  all.push_back(collector("syscalls", "system calls of outside programs are not seen",
                          "sysctl kernel.yama.ptrace_scope below 3; or sudo, for BPF", [] { evidence::CallTracer(); }));
  return all;
}

}  // namespace lab::run
