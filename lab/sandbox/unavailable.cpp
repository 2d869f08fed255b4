#include "sandbox/unavailable.hpp"

#include <cerrno>
#include <string>

#include "system/error.hpp"
#include "system/file.hpp"

namespace lab::sandbox {
namespace {

// A switch of /proc/sys, "" where this kernel has none.
std::string setting(const char* path) {
  try {
    auto text = sys::read_file(path);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  } catch (const sys::KernelError&) {
    return "";
  }
}

// Each switch that turns user namespaces off, and the command that turns them on again.
struct Switch {
  const char* path;
  const char* off;
  const char* reason;
  const char* fix;
};
constexpr Switch kSwitches[] = {
    {"/proc/sys/kernel/unprivileged_userns_clone", "0", "user namespaces are for root only on this machine",
     "sudo sysctl kernel.unprivileged_userns_clone=1, or run lab with sudo"},
    {"/proc/sys/user/max_user_namespaces", "0", "this machine allows no user namespaces",
     "sudo sysctl user.max_user_namespaces=10000"},
    {"/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1",
     "AppArmor restricts unprivileged user namespaces (Ubuntu 23.10 and later)",
     "install lab's AppArmor profile, or sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0, or run lab with "
     "sudo"},
};

[[noreturn]] void unavailable(const std::string& reason, const std::string& fix) {
  throw sys::Unavailable("no sandbox: " + reason + "; " + fix);
}

void blame_a_switch() {
  for (const auto& one : kSwitches)
    if (setting(one.path) == one.off) unavailable(one.reason, one.fix);
}

}  // namespace

void throw_no_namespaces(int error) {
  const std::string name = sys::errno_name(error);
  switch (error) {
    case EPERM:
    case EACCES:
      blame_a_switch();
      unavailable("the kernel refuses new user namespaces (" + name + ")",
                  "a container's seccomp profile or a chroot does that: allow clone3 with namespaces there");
    case ENOSPC:
    case EUSERS:
      blame_a_switch();
      unavailable("too many or too deeply nested namespaces (" + name + ")",
                  "see /proc/sys/user/max_*_namespaces, or end other sandboxes");
    case EINVAL:
      unavailable("the kernel lacks a namespace (" + name + ")",
                  "it needs CONFIG_USER_NS, NET_NS, PID_NS, IPC_NS and UTS_NS, and version 5.5 or later");
    case ENOSYS:
      unavailable("there is no clone3 (" + name + ")",
                  "it takes Linux 5.5 or later, and a container's seccomp profile that allows it");
    default:
      throw sys::KernelError(error, "clone3 with new namespaces");
  }
}

void throw_no_rights(int error, const char* object) {
  if (error == EPERM || error == EACCES) {
    if (setting(kSwitches[2].path) == kSwitches[2].off) unavailable(kSwitches[2].reason, kSwitches[2].fix);
    unavailable(std::string(object) + ": " + sys::errno_name(error),
                "a container that masks parts of /proc does that: run it with an unmasked /proc");
  }
  throw sys::KernelError(error, object);
}

}  // namespace lab::sandbox
