#include "sandbox/privileges.hpp"

#include <cap-ng.h>
#include <linux/capability.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "system/error.hpp"

namespace lab::sandbox {
namespace {

struct Need {
  int capability;
  bool lasts;  // until the report is written
};

// Over the processes of a sandbox lab has every capability as the maker of their user namespace (man user_namespaces):
// to signal them, to read their /proc and to enter their namespaces takes none of these.
constexpr Need kNeeds[] = {
    {CAP_SETUID, true},         // the sandbox's uid map; output files as the user behind sudo (setfsuid)
    {CAP_SETGID, true},         // its gid map; that user's groups
    {CAP_DAC_OVERRIDE, true},   // files that root may name on its command line, whoever owns them; control groups
    {CAP_BPF, true},            // kernel evidence: its programs, then its maps
    {CAP_PERFMON, true},        // the same: tracepoints
    {CAP_NET_ADMIN, true},      // BPF programs on links and control groups, and taking them away again
    {CAP_KILL, true},           // members of a control group of another user
    {CAP_SYS_ADMIN, false},     // user namespaces where the distribution keeps them from others; BPF before Linux 5.8
    {CAP_SYS_PTRACE, false},    // which namespaces a sandbox has, for the kernel evidence
    {CAP_SYS_RESOURCE, false},  // memory locked for BPF before Linux 5.11
};

template <bool Lasting>
std::span<const int> chosen() {
  static const auto list = [] {
    std::array<int, std::size(kNeeds)> all{};
    std::size_t count = 0;
    for (const auto& need : kNeeds)
      if (!Lasting || need.lasts) all[count++] = need.capability;
    return std::pair(all, count);
  }();
  return {list.first.data(), list.second};
}

bool held(int capability) { return ::capng_have_capability(CAPNG_PERMITTED, static_cast<unsigned>(capability)) == 1; }

// What is held of `kept` stays permitted and effective; the rest goes.
void keep_only(std::span<const int> kept, capng_select_t sets) {
  std::array<bool, CAP_LAST_CAP + 1> stay{};
  for (const int capability : kept) stay[static_cast<std::size_t>(capability)] = held(capability);
  ::capng_clear(sets);
  for (int capability = 0; capability <= CAP_LAST_CAP; ++capability)
    if (stay[static_cast<std::size_t>(capability)])
      ::capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED),
                     static_cast<unsigned>(capability));
  errno = EPERM;
  if (const int refused = ::capng_apply(sets); refused != 0)
    throw sys::KernelError(errno, "drop capabilities (capng_apply " + std::to_string(refused) + ")");
}

bool holds_any() { return ::capng_have_capabilities(CAPNG_SELECT_CAPS) > CAPNG_NONE; }

}  // namespace

std::span<const int> needed_capabilities() { return chosen<false>(); }
std::span<const int> lasting_capabilities() { return chosen<true>(); }

void keep_needed_capabilities() {
  if (::capng_get_caps_process() != 0) throw sys::KernelError(errno, "read capabilities");
  if (!holds_any()) return;
  sys::check(::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0), "ambient capabilities");
  // The bounding set can be made smaller with CAP_SETPCAP only, which goes with this.
  const bool bounds = held(CAP_SETPCAP);
  keep_only(needed_capabilities(), bounds ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
}

// libcap-ng knows what it applied: a fresh picture would take two readings of /proc.
void keep_lasting_capabilities() {
  if (!holds_any()) return;
  keep_only(lasting_capabilities(), CAPNG_SELECT_CAPS);
}

}  // namespace lab::sandbox
