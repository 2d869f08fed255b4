#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <bit>
#include <cstring>
#include <memory>
#include <set>

#include "sandbox/decision.hpp"
#include "sandbox/seccomp.hpp"
#include "system/error.hpp"
#include "system/exempt.hpp"
#include "system/file.hpp"

namespace lab::sandbox {
namespace {

using scenario::FilterAction;
using scenario::Seccomp;
using sys::check;
using Context = std::unique_ptr<void, decltype(&seccomp_release)>;

constexpr const char* kAlways[] = {"exit", "exit_group", "rt_sigreturn", "restart_syscall"};
// What the C library does on its own for memory, locks, signals and threads, and the interpreter for its records.
constexpr const char* kBookkeeping[] = {
    "brk",         "mmap",          "mremap",          "munmap",          "mprotect",
    "madvise",     "futex",         "set_robust_list", "set_tid_address", "rseq",
    "gettid",      "getpid",        "rt_sigaction",    "rt_sigprocmask",  "sigaltstack",
    "sched_yield", "clock_gettime", "getrandom",       "prlimit64"};

std::uint32_t library_action(FilterAction action) {
  switch (action) {
    case FilterAction::kill_process:
      return SCMP_ACT_KILL_PROCESS;
    case FilterAction::kill_thread:
      return SCMP_ACT_KILL_THREAD;
    case FilterAction::trap:
      return SCMP_ACT_TRAP;
    case FilterAction::log:
      return SCMP_ACT_LOG;
    case FilterAction::fail:
    case FilterAction::stall:
      return SCMP_ACT_NOTIFY;
    case FilterAction::allow:
      break;
  }
  return SCMP_ACT_ALLOW;
}

void checked(int result, const std::string& object) {
  if (result < 0) throw sys::LabError("seccomp: " + object + ": " + std::strerror(-result));
}

// libseccomp tries a dozen system calls to learn what this kernel has, and says "Invalid argument" of what it then
// takes for missing. Told a level, it asks nothing, and load() gets the kernel's own answer. 5: the notifier (man
// seccomp_api_set).
Context start(std::uint32_t fallback) {
  constexpr unsigned int kNotifier = 5;
  checked(::seccomp_api_set(kNotifier), "libseccomp's API level 5");
  Context context(seccomp_init(fallback), &seccomp_release);
  if (!context) throw sys::LabError("seccomp: libseccomp could not start");
  // Else a failed write of the program is "Operation canceled".
  checked(seccomp_attr_set(context.get(), SCMP_FLTATR_API_SYSRAWRC, 1), "errors of system calls");
  return context;
}

// A notifier can fail a call, leave it, let it go on, or have its process killed: nothing else.
void refuse_unanswerable(const Seccomp& seccomp, const std::string& call, const std::vector<std::size_t>& order) {
  for (const auto index : order) {
    const auto kind = action_of(seccomp, index).kind;
    if (kind == FilterAction::kill_thread || kind == FilterAction::trap)
      throw sys::LabError(
          "seccomp: " + call + ": " + name_of(kind) +
          " can't follow a rule of errno, stall or `when` for the same call; put it first, or use kill-process");
    if (!conditional(seccomp, index)) return;
  }
}

class Compiler {
 public:
  explicit Compiler(const Seccomp& seccomp)
      : seccomp_(seccomp), fallback_(library_action(seccomp.fallback.kind)), context_(start(fallback_)) {
    notifies_ = fallback_ == SCMP_ACT_NOTIFY;
    // Calls of a foreign ABI can't be told apart by number, nor answered by name.
    const auto foreign = notifies_ ? SCMP_ACT_ALLOW : fallback_;
    checked(seccomp_attr_set(context_.get(), SCMP_FLTATR_ACT_BADARCH, foreign), "foreign ABI");
  }

  void add_rules() {
    for (const auto& rule : seccomp_.rules)
      for (const auto& call : rule.calls) {
        const auto order = order_of(seccomp_, call);
        const bool asks = asks_notifier(seccomp_, order);
        if (asks) refuse_unanswerable(seccomp_, call, order);
        add(call, asks ? SCMP_ACT_NOTIFY : library_action(action_of(seccomp_, order.front()).kind));
      }
  }

  // Let pass unless a rule names it.
  void let_pass(const char* call) { add(call, SCMP_ACT_ALLOW); }

  Filter result() const {
    const sys::Descriptor file(check(::memfd_create("filter", MFD_CLOEXEC), "file for a filter"));
    checked(seccomp_export_bpf(context_.get(), file.get()), "export");
    check(::lseek(file.get(), 0, SEEK_SET), "file for a filter");
    const auto body = sys::read_all(file.get(), "file for a filter");
    Filter filter;
    filter.notifies = notifies_;
    const auto head = exemption();
    filter.program.resize(head.size() * sizeof(sock_filter) + body.size());
    std::memcpy(filter.program.data(), head.data(), head.size() * sizeof(sock_filter));
    std::memcpy(filter.program.data() + head.size() * sizeof(sock_filter), body.data(), body.size());
    return filter;
  }

 private:
  void add(const std::string& call, std::uint32_t action) {
    const int number = seccomp_syscall_resolve_name(call.c_str());
    if (number == __NR_SCMP_ERROR) throw sys::LabError("seccomp: unknown system call '" + call + "'");
    // Negative: a call of other architectures, which this one never makes.
    if (number < 0 || !named_.insert(call).second || action == fallback_) return;
    checked(seccomp_rule_add(context_.get(), action, number, 0), call);
    notifies_ |= action == SCMP_ACT_NOTIFY;
  }

  // "The sixth argument is the token: allow", in front of libseccomp's program, whose jumps are all relative.
  static std::vector<sock_filter> exemption() {
    constexpr auto sixth = static_cast<std::uint32_t>(offsetof(seccomp_data, args[5]));
    constexpr bool little = std::endian::native == std::endian::little;
    const auto token = sys::exempt_token();
    const auto low = static_cast<std::uint32_t>(token), high = static_cast<std::uint32_t>(token >> 32);
    return {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sixth + (little ? 0 : 4)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, low, 0, 3),
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sixth + (little ? 4 : 0)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, high, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  }

  const Seccomp& seccomp_;
  std::uint32_t fallback_;
  Context context_;
  std::set<std::string> named_;
  bool notifies_ = false;
};

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)  // kernel 5.19
#endif

}  // namespace

Filter compile(const Seccomp& seccomp, bool program) {
  Compiler compiler(seccomp);
  compiler.add_rules();
  for (const char* call : kAlways) compiler.let_pass(call);
  if (!program)
    for (const char* call : kBookkeeping) compiler.let_pass(call);
  return compiler.result();
}

sys::Descriptor load(const Filter& filter) {
  const auto count = filter.program.size() / sizeof(sock_filter);
  std::vector<sock_filter> code(count);
  std::memcpy(code.data(), filter.program.data(), count * sizeof(sock_filter));
  sock_fprog program{static_cast<unsigned short>(count), code.data()};
  const auto set = [&](unsigned long flags) {
    return ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
  };
  if (!filter.notifies) {
    check(set(0), "seccomp filter");
    return {};
  }
  // A signal that interrupts a notified call has it notified, and counted, again: once received, only death may end it.
  auto listener = set(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
  if (listener == -1 && errno == EINVAL) listener = set(SECCOMP_FILTER_FLAG_NEW_LISTENER);
  return sys::Descriptor(static_cast<int>(check(listener, "seccomp filter with a notifier")));
}

int call_number(const std::string& name) { return seccomp_syscall_resolve_name(name.c_str()); }

std::string call_name(int number) {
  char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
  std::string copy = name ? name : std::to_string(number);
  std::free(name);
  return copy;
}

}  // namespace lab::sandbox
