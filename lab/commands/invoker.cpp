#include "commands/invoker.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "system/error.hpp"

namespace lab::commands {
namespace {

std::optional<unsigned> number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (!text) return std::nullopt;
  const std::string_view digits(text);
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::vector<gid_t> groups_of(uid_t uid, gid_t gid) {
  std::vector<gid_t> groups{gid};
  const passwd* user = ::getpwuid(uid);
  if (!user) return groups;
  int count = 64;
  groups.resize(64);
  while (::getgrouplist(user->pw_name, gid, groups.data(), &count) < 0) groups.resize(static_cast<std::size_t>(count));
  groups.resize(static_cast<std::size_t>(count));
  return groups;
}

// The system call itself: glibc's setgroups changes every thread.
void set_groups(const std::vector<gid_t>& groups) {
  sys::check(::syscall(SYS_setgroups, groups.size(), groups.data()), "setgroups");
}

}  // namespace

AsInvoker::AsInvoker() {
  const auto uid = number_in("SUDO_UID"), gid = number_in("SUDO_GID");
  if (::geteuid() != 0 || !uid || !gid || *uid == 0) return;
  groups_.resize(static_cast<std::size_t>(sys::check(::getgroups(0, nullptr), "getgroups")));
  sys::check(::getgroups(static_cast<int>(groups_.size()), groups_.data()), "getgroups");
  set_groups(groups_of(*uid, *gid));
  active_ = true;
  // These return the former identity and never an error; a second call with -1 tells what holds now.
  ::setfsgid(*gid);
  ::setfsuid(*uid);
  if (static_cast<uid_t>(::setfsuid(static_cast<uid_t>(-1))) != *uid) throw sys::LabError("setfsuid was refused");
}

AsInvoker::~AsInvoker() {
  if (!active_) return;
  ::setfsuid(::geteuid());
  ::setfsgid(::getegid());
  // Nothing to be done about a failure here; the process keeps fewer rights than it had.
  (void)::syscall(SYS_setgroups, groups_.size(), groups_.data());
}

}  // namespace lab::commands
