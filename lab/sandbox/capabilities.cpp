#include "sandbox/capabilities.hpp"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "system/error.hpp"

namespace lab::sandbox {
namespace {

constexpr unsigned kMost = 64;  // version 3 of the interface has two words of 32

std::uint64_t join(std::uint32_t low, std::uint32_t high) { return std::uint64_t{high} << 32 | low; }
std::uint32_t low(std::uint64_t set) { return static_cast<std::uint32_t>(set); }
std::uint32_t high(std::uint64_t set) { return static_cast<std::uint32_t>(set >> 32); }

}  // namespace

Capabilities capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct words[2]{};
  sys::check(::syscall(SYS_capget, &header, words), "read capabilities");
  return {.effective = join(words[0].effective, words[1].effective),
          .permitted = join(words[0].permitted, words[1].permitted),
          .inheritable = join(words[0].inheritable, words[1].inheritable)};
}

void set_capabilities(const Capabilities& sets) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct words[2] = {{low(sets.effective), low(sets.permitted), low(sets.inheritable)},
                                           {high(sets.effective), high(sets.permitted), high(sets.inheritable)}};
  sys::check(::syscall(SYS_capset, &header, words), "capabilities");
}

void clear_ambient() { sys::check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities"); }

void raise_ambient(std::uint64_t raised) {
  for (unsigned cap = 0; cap < kMost; ++cap)
    if (raised >> cap & 1) sys::check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0), "ambient capabilities");
}

void empty_bounding_set() {
  for (unsigned cap = 0; cap < kMost; ++cap) {
    if (::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0) continue;
    if (errno == EINVAL || errno == EPERM) return;  // above the kernel's last; without the right to
    sys::check(-1, "capability bounding set");
  }
}

}  // namespace lab::sandbox
