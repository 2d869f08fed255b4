#include "sandbox/privileges.hpp"

#include <linux/capability.h>

#include <algorithm>
#include <array>

#include "sandbox/capabilities.hpp"

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

std::uint64_t bits(std::span<const int> numbers) {
  std::uint64_t all = 0;
  for (const int number : numbers) all |= std::uint64_t{1} << number;
  return all;
}

// What is held of `kept` stays permitted and effective; the rest goes.
void keep_only(std::uint64_t kept, const Capabilities& held) {
  set_capabilities({.effective = kept & held.permitted, .permitted = kept & held.permitted});
}

}  // namespace

std::span<const int> needed_capabilities() { return chosen<false>(); }
std::span<const int> lasting_capabilities() { return chosen<true>(); }

void keep_needed_capabilities() {
  const auto held = capabilities();
  if (!held.any()) return;
  clear_ambient();
  empty_bounding_set();  // refused without CAP_SETPCAP, which goes with the others
  keep_only(bits(needed_capabilities()), held);
}

void keep_lasting_capabilities() {
  if (const auto held = capabilities(); held.any()) keep_only(bits(lasting_capabilities()), held);
}

}  // namespace lab::sandbox
