#include "sandbox/confine.hpp"

#include <linux/capability.h>
#include <linux/prctl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>

#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::sandbox {
namespace {

using sys::check;

// A user's tasks are counted for each user namespace (ucounts, kernel 5.14): in one of its own an actor meets its limit
// by its own tasks alone. One line that maps the caller to itself needs no privilege above.
void own_user_namespace(const Identity& who) {
  check(::unshare(CLONE_NEWUSER), "user namespace for nproc");
  const auto line = [](unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
  sys::write_file("/proc/self/setgroups", "deny");
  sys::write_file("/proc/self/uid_map", line(who.uid));
  sys::write_file("/proc/self/gid_map", line(who.gid));
}

void limit(int resource, const char* name, std::uint64_t soft, std::uint64_t hard) {
  const rlimit both{soft, hard};
  check(::setrlimit(static_cast<__rlimit_resource>(resource), &both),
        std::string("limit ") + name + " = " + std::to_string(soft));
}

// Bytes of address space that this process has mapped (man 5 proc, statm: pages).
std::uint64_t mapped() {
  const auto text = sys::read_file("/proc/self/statm");
  return std::strtoull(text.c_str(), nullptr, 10) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

void apply(const scenario::Limits& limits, bool program) {
  if (limits.as) {
    const auto bytes = *limits.as + (program ? 0 : mapped());
    limit(RLIMIT_AS, "as", bytes, bytes);
  }
  if (limits.cpu) {
    const auto seconds = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(*limits.cpu).count());
    const auto soft = std::max<std::uint64_t>(seconds, 1);
    limit(RLIMIT_CPU, "cpu", soft, soft + 1);
  }
  if (limits.fsize) limit(RLIMIT_FSIZE, "fsize", *limits.fsize, *limits.fsize);
  if (limits.nproc) limit(RLIMIT_NPROC, "nproc", *limits.nproc, *limits.nproc);
  if (limits.nofile) limit(RLIMIT_NOFILE, "nofile", *limits.nofile, *limits.nofile);
}

constexpr int kHighest = 63;  // capability numbers fit two words

void set_capabilities(const __user_cap_data_struct (&sets)[2]) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  check(::syscall(SYS_capset, &header, sets), "capabilities");
}

void drop_capabilities() {
  // EINVAL: above the kernel's last. EPERM: none is held, and then none can come back (no-new-privileges is set).
  for (int cap = 0; cap <= kHighest; ++cap)
    if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == -1) {
      if (errno == EINVAL || errno == EPERM) break;
      check(-1, "capability bounding set");
    }
  check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities");
  set_capabilities({});
}

// Without uid 0 an exec drops every capability that is not ambient (man capabilities).
void carry_capabilities_through_exec() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2]{};
  check(::syscall(SYS_capget, &header, sets), "capabilities");
  for (auto& word : sets) word.inheritable = word.permitted;
  set_capabilities(sets);
  for (int cap = 0; cap <= kHighest; ++cap)
    if (sets[cap / 32].permitted >> (cap % 32) & 1)
      check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0), "ambient capabilities");
}

// 1 byte: no file fits, and no core handler of the host is started (fs/coredump.c). The caller's hard limit may be 0.
void no_core_files() {
  rlimit allowed{};
  check(::getrlimit(RLIMIT_CORE, &allowed), "read limit core");
  const auto most = std::min<rlim_t>(allowed.rlim_max, 1);
  limit(RLIMIT_CORE, "core", most, most);
}

}  // namespace

void confine(const Confinement& how, int keep_fd) {
  if (how.limits && how.limits->nproc) own_user_namespace(how.identity);
  auto keep = how.keep;
  keep.push_back(keep_fd);
  sys::close_descriptors_except(keep);
  check(::setpgid(0, 0), "process group");  // a program's kill(0) reaches its own processes, as a service's or a job's
  check(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
  if (!how.keep_capabilities)
    drop_capabilities();
  else if (how.program)
    carry_capabilities_through_exec();
  no_core_files();
  if (how.limits) apply(*how.limits, how.program);
}

}  // namespace lab::sandbox
