// The probe itself, on libbpf. kernel.cpp has what a build without it needs.
#ifndef LAB_BPF_MISSING

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <map>

#include "evidence/collectors/kernel.hpp"
#include "evidence/collectors/kernel_decode.hpp"
#include "evidence/collectors/kernel_object.hpp"
#include "evidence/collectors/syscalls_decode.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"

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

// libbpf speaks through one function for the whole process: the first complaint is the reason.
thread_local std::string complaint;
int keep_complaint(libbpf_print_level level, const char* format, va_list arguments) {
  if (level != LIBBPF_WARN || !complaint.empty()) return 0;
  char line[256];
  std::vsnprintf(line, sizeof line, format, arguments);
  complaint = line;
  while (!complaint.empty() && complaint.back() == '\n') complaint.pop_back();
  return 0;
}

[[noreturn]] void refuse(int error, std::string_view what) {
  const auto reason = error == EPERM ? "needs root (CAP_BPF and CAP_PERFMON)" : complaint;
  throw sys::Unavailable(fmt::format("{}: {}{}{}", what, sys::errno_name(error), reason.empty() ? "" : ": ", reason));
}

struct Close {
  void operator()(bpf_object* o) const { bpf_object__close(o); }
  void operator()(bpf_link* l) const { bpf_link__destroy(l); }
  void operator()(ring_buffer* r) const { ring_buffer__free(r); }
};
using Object = std::unique_ptr<bpf_object, Close>;
using Link = std::unique_ptr<bpf_link, Close>;
using Ring = std::unique_ptr<ring_buffer, Close>;

class Probe final : public KernelProbe {
 public:
  explicit Probe(Wanted wanted);
  Sandbox watch(const Namespaces& namespaces) override;
  int descriptor() const override { return ring_buffer__epoll_fd(ring_.get()); }
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

  RawTypes kernel_types();
  void configure(const KernelFacts& facts);
  void attach(const KernelFacts& facts);
  int map(const char* name) const;
  template <class T>
  T* section(const char* name) const;
  void take(std::string_view record);
  void hand_out(Sandbox sandbox, Event&& event);
  void deliver_repeats(Sandbox sandbox);

  Wanted wanted_;
  sys::Descriptor types_file_;
  Object object_;
  std::vector<Link> links_;
  Ring ring_;
  std::unique_ptr<Decoder> decoder_;
  raw_counts* counts_ = nullptr;
  std::string absent_packets_, absent_calls_;
  std::map<Sandbox, Watched> watched_;
  Sandbox next_ = 1;
  const Deliver* deliver_ = nullptr;
  std::exception_ptr failure_;
};

Probe::Probe(Wanted wanted) : wanted_(wanted) {
  complaint.clear();
  libbpf_set_print(keep_complaint);
  // libbpf takes the types it relocates against as a file, and reads it when it loads.
  types_file_ = sys::Descriptor(sys::check(::memfd_create("lab-btf", MFD_CLOEXEC), "memfd for BTF"));
  const auto types_path = fmt::format("/proc/self/fd/{}", types_file_.get());
  bpf_object_open_opts options{};
  options.sz = sizeof options;
  options.object_name = "lab";
  options.btf_custom_path = types_path.c_str();
  const auto file = bpf_object_file();
  object_.reset(bpf_object__open_mem(file.data(), file.size(), &options));
  if (!object_) refuse(errno, "BPF object");

  const auto types = kernel_types();
  sys::check(::write(types_file_.get(), types.data(), types.size()), "memfd for BTF");
  const auto facts = KernelFacts::of(types);
  configure(facts);
  if (bpf_object__load(object_.get()) != 0) refuse(errno, "loading BPF programs");
  counts_ = section<raw_counts>(".data.counts");
  ring_.reset(ring_buffer__new(
      map("ring"),
      [](void* probe, void* data, size_t size) {
        static_cast<Probe*>(probe)->take({static_cast<const char*>(data), size});
        return 0;
      },
      this, nullptr));
  if (!ring_) refuse(errno, "BPF ring buffer");
  decoder_ = std::make_unique<Decoder>(facts);
  attach(facts);
}

RawTypes Probe::kernel_types() {
  const TypesCache cache(TypesCache::usual_folder());
  const auto key = types_key(bpf_object_file(), copied_names());
  auto types = cache.find(key);
  if (!types.empty()) return types;
  types = thin_types(*bpf_object__btf(object_.get()));
  cache.keep(key, types);
  return types;
}

template <class T>
T* Probe::section(const char* name) const {
  bpf_map* found = nullptr;
  bpf_map__for_each(found, object_.get()) if (std::string_view(bpf_map__name(found)).ends_with(name)) break;
  size_t size = 0;
  void* at = found ? const_cast<void*>(bpf_map__initial_value(found, &size)) : nullptr;
  if (!at || size < sizeof(T)) throw sys::LabError(fmt::format("the BPF object has no section {}", name));
  return static_cast<T*>(at);
}

// Before loading: the constants decide which branches the verifier ever sees.
void Probe::configure(const KernelFacts& facts) {
  auto& config = *section<raw_config>(".rodata.config");
  config.drop_has_reason = facts.arguments("kfree_skb") >= 3;
  config.drop_has_socket = facts.arguments("kfree_skb") >= 4;
  config.reset_has_reason = facts.arguments("tcp_send_reset") >= 3;
  config.wake_at = RAW_RING / 4;
  fill_looks(config.looks);
  for (const auto& program : programs) {
    bpf_program* loaded = bpf_object__find_program_by_name(object_.get(), program.name);
    const bool asked = program.calls ? wanted_.calls : wanted_.packets;
    const bool there = facts.arguments(program.tracepoint) > 0;
    bpf_program__set_autoload(loaded, asked && there);
    auto& absent = program.calls ? absent_calls_ : absent_packets_;
    if (asked && !there && absent.find(program.blind_to) == absent.npos)
      absent += fmt::format("{}{}", absent.empty() ? "this kernel does not tell of " : ", ", program.blind_to);
  }
  if (wanted_.packets && !config.drop_has_reason)
    absent_packets_ += fmt::format("{}drops without reasons", absent_packets_.empty() ? "" : "; ");
  if (wanted_.packets && !config.reset_has_reason)
    absent_packets_ += fmt::format("{}resets without reasons", absent_packets_.empty() ? "" : "; ");
}

void Probe::attach(const KernelFacts& facts) {
  for (const auto& program : programs) {
    bpf_program* loaded = bpf_object__find_program_by_name(object_.get(), program.name);
    if (!(program.calls ? wanted_.calls : wanted_.packets) || facts.arguments(program.tracepoint) == 0) continue;
    Link link(bpf_program__attach_raw_tracepoint(loaded, program.tracepoint));
    if (!link) refuse(errno, fmt::format("attaching to tracepoint {}", program.tracepoint));
    links_.push_back(std::move(link));
  }
}

int Probe::map(const char* name) const {
  const int fd = bpf_object__find_map_fd_by_name(object_.get(), name);
  if (fd < 0) throw sys::LabError(fmt::format("the BPF object has no map {}", name));
  return fd;
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
  watched.lost_packets = counts_->lost_packets[id % RAW_SANDBOXES];
  watched.lost_calls = counts_->lost_calls[id % RAW_SANDBOXES];
  for (const auto inode : watched.inodes)
    sys::check(bpf_map_update_elem(map("sandboxes"), &inode, &id, BPF_ANY), "BPF map of sandboxes");
  return id;
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

// Called by libbpf, which is C: nothing may be thrown through it.
void Probe::take(std::string_view record) {
  try {
    raw_header header{};
    if (record.size() < sizeof header) return;
    std::memcpy(&header, record.data(), sizeof header);
    if (const auto watched = watched_.find(header.sandbox); watched != watched_.end() && header.kind == RAW_CALL)
      watched->second.left_out += folded_in(record);
    for (auto& event : decoder_->decode(record)) hand_out(header.sandbox, std::move(event));
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void Probe::drain(const Deliver& deliver) {
  deliver_ = &deliver;
  ring_buffer__consume(ring_.get());
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void Probe::deliver_repeats(Sandbox sandbox) {
  const int repeats = map("repeats");
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
  for (const auto inode : watched.inodes) bpf_map_delete_elem(map("sandboxes"), &inode);
  const auto lost_packets = counts_->lost_packets[sandbox % RAW_SANDBOXES] - watched.lost_packets;
  const auto lost_calls = counts_->lost_calls[sandbox % RAW_SANDBOXES] - watched.lost_calls;
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
    accounts.push_back({"syscalls", true, why, watched.calls, lost_calls, false});
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
