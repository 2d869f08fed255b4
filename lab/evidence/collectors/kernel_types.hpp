// What the probe must know of the running kernel's types: offsets for libbpf's relocations, names of reasons, and how
// many arguments a tracepoint has. All of it is in /sys/kernel/btf/vmlinux, but reading those megabytes takes some
// twenty milliseconds; so the few types that matter are copied into a BTF of their own, once per kernel, and cached
// with the programs that were fitted to them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "system/descriptor.hpp"

struct btf;

namespace lab::evidence {

// BTF as raw bytes, small and complete in itself.
using RawTypes = std::string;

// The types named in `wanted` (a BPF object's own BTF), each with those members that some type there names, the
// reasons' enums, and the tracepoints' prototypes. Throws Unavailable when the kernel has no BTF (`path` is its file).
RawTypes thin_types(const btf& wanted, const std::string& path = "/sys/kernel/btf/vmlinux");

// A folder of what was made for the running kernel. Files are named by the kernel and by what asked for them; anybody
// may delete them at any time. A folder or file that someone else could have written is not used.
class ProbeCache {
 public:
  // As root /var/cache/lab, else lab in $XDG_CACHE_HOME, else in ~/.cache; "" when there is no home.
  static std::filesystem::path usual_folder();
  explicit ProbeCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // "" when there is none, or none that can be trusted.
  std::string find(std::string_view key) const;
  // Whether it was kept: a full disk or a read-only system is no error, only slow.
  bool keep(std::string_view key, const std::string& made) const;

 private:
  std::filesystem::path folder_;
};

// What thin_types() copies besides what its `wanted` names.
std::string copied_names();

// Names the running kernel (its build, not only its release) together with the programs of `object` and `copied`.
std::string probe_key(std::string_view object, std::string_view copied);

// Where fields lie in the structs whose bytes the programs copy; -1 where the kernel has no such field.
struct SockLayout {
  int daddr = -1, rcv_saddr = -1, dport = -1, num = -1, family = -1, state = -1, v6_daddr = -1, v6_rcv_saddr = -1;
  int seq = -1, end_seq = -1, tcp_flags = -1;  // struct tcp_skb_cb
};

// What is read out of thin types by name.
struct KernelFacts {
  using Table = std::map<std::uint32_t, std::string>;
  std::map<std::string, int> tracepoints;  // number of arguments
  Table drops, resets;
  SockLayout layout;

  static KernelFacts of(const RawTypes& types);

  // Arguments of a raw tracepoint; 0 when the kernel does not have it.
  int arguments(const std::string& tracepoint) const;
  // "NETFILTER_DROP"; a number the kernel has no name for is written as such, no_reason as "".
  static constexpr std::uint32_t no_reason = 0xffffffff;
  std::string drop_reason(std::uint32_t reason) const;
  std::string reset_reason(std::uint32_t reason) const;
};

}  // namespace lab::evidence
