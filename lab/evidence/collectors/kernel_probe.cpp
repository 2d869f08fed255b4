// The probe itself, on libbpf. kernel.cpp has what a build without it needs.
#ifndef LAB_BPF_MISSING

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "evidence/collectors/kernel.hpp"
#include "evidence/collectors/kernel_decode.hpp"
#include "evidence/collectors/kernel_object.hpp"
#include "evidence/collectors/kernel_programs.hpp"
#include "evidence/collectors/kernel_ring.hpp"
#include "evidence/collectors/syscalls_decode.hpp"
#include "system/error.hpp"
#include "system/parting.hpp"

namespace lab::evidence {
namespace {

struct Program {
  const char* name;
  const char* tracepoint;
  bool calls;            // for the system-call collector
  const char* blind_to;  // what is not seen where the kernel has no such tracepoint
};
constexpr Program programs[] = {
    {"drop", "kfree_skb", false, "drops"},
    {"send_reset", "tcp_send_reset", false, "resets sent"},
    {"receive_reset", "tcp_receive_reset", false, "resets received"},
    {"retransmit", "tcp_retransmit_skb", false, "retransmissions"},
    {"set_state", "inet_sock_set_state", false, "states"},
    {"signal", "signal_generate", false, "signals"},
    {"enter", "sys_enter", true, "calls"},
    {"leave", "sys_exit", true, "calls"},
    {"task_exit", "sched_process_exit", true, "threads that a filter killed"},
};

class Probe final : public KernelProbe {
 public:
  explicit Probe(Wanted wanted);
  ~Probe() override {
    if (wanted_.hurry) sys::leave_to_kernel(std::move(links_));
  }
  Sandbox watch(const Namespaces& namespaces) override;
  int descriptor() const override { return ring_ ? ring_->descriptor() : programs_->map("ring"); }
  void drain(const Deliver& deliver) override;
  std::vector<Collector> finish(Sandbox sandbox, const Deliver& deliver) override;

 private:
  struct Watched {
    std::array<std::uint32_t, 2> inodes{};
    std::uint64_t packets = 0, signals = 0, calls = 0;
    std::uint64_t lost_packets = 0, lost_calls = 0;  // of the slot, when it was taken
    std::uint64_t left_out = 0;                      // calls counted instead of listed
    bool io_uring = false;
  };

  bool asked_for(const Program& program) const { return program.calls ? wanted_.calls : wanted_.packets; }
  KernelFacts load();
  void map_ring();
  void say_what_is_absent(const KernelFacts& facts);
  void attach();
  void take(std::string_view record);
  void hand_out(Sandbox sandbox, Event&& event);
  void deliver_repeats(Sandbox sandbox);
  // Of a sandbox's slot, since lab began: packets, calls.
  std::pair<std::uint64_t, std::uint64_t> lost(Sandbox sandbox) const;

  Wanted wanted_;
  std::optional<LoadedPrograms> programs_;
  std::vector<sys::Descriptor> links_;
  std::optional<Ring> ring_;
  std::unique_ptr<Decoder> decoder_;
  std::string absent_packets_, absent_calls_;
  std::map<Sandbox, Watched> watched_;
  Sandbox next_ = 1;
  const Deliver* deliver_ = nullptr;
};

// Twenty bits of minor number (include/linux/kdev_t.h), unlike the C library's.
std::uint64_t device_of_namespaces() {
  struct stat s {};
  sys::check(::stat("/proc/self/ns/pid", &s), "/proc/self/ns/pid");
  return std::uint64_t{major(s.st_dev)} << 20 | minor(s.st_dev);
}

// What the programs are told of the running kernel, before they are loaded: the constants decide which branches the
// verifier ever sees.
MapContents configuration(const KernelFacts& facts, std::uint32_t ring) {
  raw_config config{};
  config.drop_has_reason = facts.arguments("kfree_skb") >= 3;
  config.drop_has_socket = facts.arguments("kfree_skb") >= 4;
  config.reset_has_reason = facts.arguments("tcp_send_reset") >= 3;
  config.namespaces = device_of_namespaces();
  config.wake_at = ring / 4;
  config.crowded_at = ring / 2;
  fill_looks(config.looks);
  return {{".rodata.config", {reinterpret_cast<const char*>(&config), sizeof config}}};
}

Probe::Probe(Wanted wanted) : wanted_(wanted) {
  const auto facts = load();
  say_what_is_absent(facts);
  if (!wanted_.hurry) map_ring();  // a ring's pages take 0.2 ms to map: a single run has time for that at its end
  decoder_ = std::make_unique<Decoder>(facts);
  attach();
}

void Probe::map_ring() {
  ring_.emplace(
      programs_->map("ring"), [this](std::string_view record) { take(record); }, !wanted_.hurry);
}

// What is kept may be of no use after all, as where the kernel before 5.11 wants more memory locked: libbpf sees to
// that.
KernelFacts Probe::load() {
  const ProbeCache cache(ProbeCache::usual_folder());
  const auto key =
      probe_key(bpf_object_digest(), fmt::format("{}{}{}", copied_names(), wanted_.packets, wanted_.calls));
  // A ring's pages cost a small run a tenth of its time: most in being given back.
  const std::uint32_t ring = wanted_.little ? RAW_RING / 4 : RAW_RING;
  const auto use = [&](ReadyPrograms ready) {
    for (auto& map : ready.maps) {
      if (map.name == "ring") map.entries = ring;
      if (map.name == "sandboxes" && wanted_.hurry) map.entries = 8;  // two numbers of one; each entry has a bucket
    }
    auto facts = KernelFacts::of(ready.kernel);
    programs_.emplace(ready, configuration(facts, ring));
    return facts;
  };
  if (auto kept = ReadyPrograms::of(cache.find(key))) try {
      return use(*std::move(kept));
    } catch (const sys::KernelError&) {
    }
  const auto wanted = [this](std::string_view name, const KernelFacts& facts) {
    return std::any_of(std::begin(programs), std::end(programs), [&](const Program& one) {
      return one.name == name && asked_for(one) && facts.arguments(one.tracepoint) > 0;
    });
  };
  auto fresh = make_ready(wanted, [](const KernelFacts& facts) { return configuration(facts, RAW_RING); });
  cache.keep(key, fresh.to_bytes());
  return use(std::move(fresh));
}

void Probe::say_what_is_absent(const KernelFacts& facts) {
  const auto add = [](std::string& to, std::string_view begin, std::string_view what) {
    to += fmt::format("{}{}", to.empty() ? begin : begin.empty() ? "; " : ", ", what);
  };
  for (const auto& program : programs) {
    auto& absent = program.calls ? absent_calls_ : absent_packets_;
    if (asked_for(program) && !programs_->has(program.name) && absent.find(program.blind_to) == absent.npos)
      add(absent, "this kernel does not tell of ", program.blind_to);
  }
  if (!wanted_.packets) return;
  if (facts.arguments("kfree_skb") < 3) add(absent_packets_, "", "drops without reasons");
  if (facts.arguments("tcp_send_reset") < 3) add(absent_packets_, "", "resets without reasons");
}

void Probe::attach() {
  for (const auto& program : programs)
    if (programs_->has(program.name)) links_.push_back(programs_->attach(program.name, program.tracepoint));
}

KernelProbe::Sandbox Probe::watch(const Namespaces& namespaces) {
  if (watched_.size() >= RAW_SANDBOXES)
    throw sys::LabError("the kernel collector watches at most 1024 sandboxes at once");
  const auto taken = [this](Sandbox id) {
    return id == 0 || std::any_of(watched_.begin(), watched_.end(),
                                  [id](const auto& one) { return one.first % RAW_SANDBOXES == id % RAW_SANDBOXES; });
  };
  while (taken(next_)) ++next_;
  const Sandbox id = next_++;
  auto& watched = watched_[id];
  watched.inodes = {namespaces.user, namespaces.pid};
  std::tie(watched.lost_packets, watched.lost_calls) = lost(id);
  const raw_sandbox who{.number = id, .pid_namespace = namespaces.pid};
  for (const auto inode : watched.inodes)
    sys::check(bpf_map_update_elem(programs_->map("sandboxes"), &inode, &who, BPF_ANY), "BPF map of sandboxes");
  return id;
}

std::pair<std::uint64_t, std::uint64_t> Probe::lost(Sandbox sandbox) const {
  raw_counts counts{};
  const std::uint32_t whole = 0;
  sys::check(bpf_map_lookup_elem(programs_->map(".data.counts"), &whole, &counts), "BPF map of lost events");
  return {counts.lost_packets[sandbox % RAW_SANDBOXES], counts.lost_calls[sandbox % RAW_SANDBOXES]};
}

void Probe::hand_out(Sandbox sandbox, Event&& event) {
  const auto found = watched_.find(sandbox);
  if (found == watched_.end()) return;
  auto& watched = found->second;
  const auto source = source_of(event.what);
  ++(source == "kernel" ? watched.packets : source == "signals" ? watched.signals : watched.calls);
  if (const auto* call = std::get_if<Call>(&event.what); call && call->name == "io_uring_setup")
    watched.io_uring = true;
  (*deliver_)(sandbox, std::move(event));
}

std::uint64_t folded_in(std::string_view call) {
  std::uint64_t folded = 0;
  if (call.size() >= sizeof(raw_call)) std::memcpy(&folded, call.data() + offsetof(raw_call, folded), sizeof folded);
  return folded;
}

void Probe::take(std::string_view record) {
  raw_header header{};
  if (record.size() < sizeof header) return;
  std::memcpy(&header, record.data(), sizeof header);
  if (const auto watched = watched_.find(header.sandbox); watched != watched_.end() && header.kind == RAW_CALL)
    watched->second.left_out += folded_in(record);
  for (auto& event : decoder_->decode(record)) hand_out(header.sandbox, std::move(event));
}

void Probe::drain(const Deliver& deliver) {
  if (!ring_) map_ring();
  deliver_ = &deliver;
  ring_->consume();
}

void Probe::deliver_repeats(Sandbox sandbox) {
  const int repeats = programs_->map("repeats");
  raw_repeat_key key{}, next{};
  raw_repeat value{};
  std::vector<raw_repeat_key> done;
  for (const raw_repeat_key* last = nullptr; bpf_map_get_next_key(repeats, last, &next) == 0; key = next, last = &key) {
    if (bpf_map_lookup_elem(repeats, &next, &value) != 0 || value.sandbox != sandbox) continue;
    done.push_back(next);
    if (!value.folded) continue;
    watched_.at(sandbox).left_out += value.folded;
    hand_out(sandbox, decoder_->repeat(next, value));
  }
  for (const auto& one : done) bpf_map_delete_elem(repeats, &one);
}

std::vector<Collector> Probe::finish(Sandbox sandbox, const Deliver& deliver) {
  const auto found = watched_.find(sandbox);
  if (found == watched_.end()) return {};
  deliver_ = &deliver;
  for (auto& event : decoder_->finish(sandbox)) hand_out(sandbox, std::move(event));
  if (wanted_.calls) deliver_repeats(sandbox);
  const auto& watched = found->second;
  for (const auto inode : watched.inodes) bpf_map_delete_elem(programs_->map("sandboxes"), &inode);
  auto [lost_packets, lost_calls] = lost(sandbox);
  lost_packets -= watched.lost_packets;
  lost_calls -= watched.lost_calls;
  std::vector<Collector> accounts;
  if (wanted_.packets) {
    accounts.push_back({"kernel", true, absent_packets_, watched.packets, lost_packets, false});
    accounts.push_back({"signals", true, "", watched.signals, lost_packets, false});
  }
  if (wanted_.calls) {
    std::string why = absent_calls_;
    if (watched.left_out)
      why += fmt::format("{}{} repetitions counted, not listed", why.empty() ? "" : "; ", watched.left_out);
    if (watched.io_uring) why += fmt::format("{}blind to what was done through io_uring", why.empty() ? "" : "; ");
    // How much of what io_uring did was not seen, nobody knows.
    const auto lost = std::max<std::uint64_t>(lost_calls, watched.io_uring ? 1 : 0);
    accounts.push_back({"syscalls", true, why, watched.calls, lost, false});
  }
  watched_.erase(found);
  return accounts;
}

}  // namespace

std::unique_ptr<KernelProbe> KernelProbe::load(Wanted wanted) {
  if (const auto why = why_not(); !why.empty()) throw sys::Unavailable(why);
  return std::make_unique<Probe>(wanted);
}

std::string KernelProbe::why_not() {
  if (::geteuid() != 0) return "needs root";
  if (::access("/sys/kernel/btf/vmlinux", R_OK) != 0)
    return "no /sys/kernel/btf/vmlinux: the kernel was built without CONFIG_DEBUG_INFO_BTF";
  return "";
}

}  // namespace lab::evidence

#endif
