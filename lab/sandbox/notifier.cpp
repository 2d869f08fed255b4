#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "sandbox/decision.hpp"
#include "sandbox/mailbox.hpp"
#include "sandbox/seccomp.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)  // kernel 6.6
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

namespace lab::sandbox {
namespace {

using scenario::FilterAction;
using sys::check;

struct Listener {
  sys::Descriptor descriptor;
  int pid = 0;
  bool exempt_exec = false;
};

// The kernel's structs grow; it tells how large they are (man seccomp_unotify).
struct Buffers {
  std::vector<std::uint64_t> request, answer;
  Buffers() {
    seccomp_notif_sizes sizes{};
    check(::syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes), "seccomp notifier");
    request.resize(std::max<std::size_t>(sizes.seccomp_notif, sizeof(seccomp_notif)) / 8 + 1);
    answer.resize(std::max<std::size_t>(sizes.seccomp_notif_resp, sizeof(seccomp_notif_resp)) / 8 + 1);
  }
};

// What /proc/TID/status says of the one that waits for an answer.
struct Caller {
  int pid = 0;             // thread group
  std::uint64_t deaf = 0;  // signals it blocks, ignores or catches: bit n-1 for signal n
};

std::uint64_t field(const std::string& status, const char* name, int base) {
  const auto at = status.find(name);
  return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + std::strlen(name), nullptr, base);
}

Caller caller(int tid) {
  try {
    const auto status = sys::read_file("/proc/" + std::to_string(tid) + "/status");
    return {static_cast<int>(field(status, "\nTgid:", 10)),
            field(status, "\nSigBlk:", 16) | field(status, "\nSigIgn:", 16) | field(status, "\nSigCgt:", 16)};
  } catch (const sys::KernelError&) {
    return {tid, 0};  // it died meanwhile
  }
}

bool is_exec(int call) { return call == SYS_execve || call == SYS_execveat; }

}  // namespace

struct Notifier::State {
  scenario::Seccomp seccomp;
  std::function<void(const Answered&)> report;
  Mailbox mailbox;
  Buffers buffers;
  std::vector<Listener> listeners;
  std::map<int, std::vector<std::size_t>> orders;  // by call number
  std::vector<std::uint64_t> counted, fired;       // by rule, the fallback last

  const std::vector<std::size_t>& order(int call) {
    auto& known = orders[call];
    if (known.empty()) known = order_of(seccomp, call_name(call));
    return known;
  }

  // Counts the call under every rule that names it; the one that decides.
  std::size_t decide(int call) {
    const auto& all = order(call);
    for (const auto index : all) ++counted[index];
    for (const auto index : all)
      if (!conditional(seccomp, index) || seccomp.rules[index].when->contains(counted[index])) return index;
    return all.back();
  }

  void respond(int listener, std::uint64_t id, int error, std::uint32_t flags) {
    auto* answer = reinterpret_cast<seccomp_notif_resp*>(buffers.answer.data());
    *answer = {};
    answer->id = id;
    answer->error = -error;
    answer->flags = flags;
    // ENOENT: the caller died; it needs no answer any more.
    if (::ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, answer) == -1 && errno != ENOENT)
      check(-1, "answer a notified call");
  }

  // As the filter would: SIGSYS to the calling thread, which takes it on its way out of the call and the process with
  // it.
  void kill_caller(const Caller& who, int tid) {
    const bool deaf = who.deaf >> (SIGSYS - 1) & 1;
    ::syscall(SYS_tgkill, who.pid, tid, deaf ? SIGKILL : SIGSYS);
  }

  void act(const Listener& listener, const seccomp_notif& call, std::size_t index) {
    const auto& action = action_of(seccomp, index);
    const auto who = caller(static_cast<int>(call.pid));
    ++fired[index];
    Answered told{.t_ns = sys::now_ns(),
                  .pid = who.pid,
                  .tid = static_cast<int>(call.pid),
                  .call = call_name(call.data.nr),
                  .action = name_of(action.kind),
                  .error = action.error,
                  .count = counted[index],
                  .rule = index};
    std::copy(std::begin(call.data.args), std::end(call.data.args), told.args);
    report(told);
    switch (action.kind) {
      case FilterAction::fail:
        return respond(listener.descriptor.get(), call.id, action.error, 0);
      case FilterAction::kill_process:
        kill_caller(who, told.tid);
        return respond(listener.descriptor.get(), call.id, ENOSYS, 0);
      case FilterAction::stall:
        return;
      default:
        return respond(listener.descriptor.get(), call.id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    }
  }

  void answer_one(Listener& listener) {
    std::fill(buffers.request.begin(), buffers.request.end(), 0);
    auto* call = reinterpret_cast<seccomp_notif*>(buffers.request.data());
    if (::ioctl(listener.descriptor.get(), SECCOMP_IOCTL_NOTIF_RECV, call) == -1) {
      // The caller died, or a signal took its call back, between poll and here.
      if (errno == ENOENT || errno == EINTR) return;
      check(-1, "receive a notified call");
    }
    if (listener.exempt_exec && is_exec(call->data.nr) && static_cast<int>(call->pid) == listener.pid) {
      listener.exempt_exec = false;
      return respond(listener.descriptor.get(), call->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    }
    const auto index = decide(call->data.nr);
    if (action_of(seccomp, index).kind == FilterAction::allow)
      return respond(listener.descriptor.get(), call->id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
    act(listener, *call, index);
  }
};

Notifier::Notifier(scenario::Seccomp seccomp, std::function<void(const Answered&)> report) : state_(new State) {
  state_->counted.resize(seccomp.rules.size() + 1);
  state_->fired.resize(seccomp.rules.size() + 1);
  state_->seccomp = std::move(seccomp);
  state_->report = std::move(report);
}
Notifier::Notifier(Notifier&&) noexcept = default;
Notifier::~Notifier() = default;

int Notifier::mailbox() const { return state_->mailbox.sending_end(); }

void Notifier::install(const Filter& filter) const { state_->mailbox.hand_over(load(filter)); }

void Notifier::adopt(sys::Descriptor listener, int pid, bool exempt_first_exec) {
  // Wakes the other side on this CPU: 8 µs a call instead of 83. Kernels before 6.6 refuse and go on without.
  ::ioctl(listener.get(), SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, 0);
  state_->listeners.push_back({std::move(listener), pid, exempt_first_exec});
}

std::vector<int> Notifier::descriptors() const {
  std::vector<int> all{state_->mailbox.receiving_end()};
  for (const auto& listener : state_->listeners) all.push_back(listener.descriptor.get());
  return all;
}

void Notifier::serve(int descriptor) {
  if (descriptor == state_->mailbox.receiving_end()) {
    while (auto delivery = state_->mailbox.collect()) adopt(std::move(delivery->listener), delivery->pid);
    return;
  }
  auto& all = state_->listeners;
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.descriptor.get() == descriptor; });
  if (found == all.end()) return;
  // Receiving blocks where nothing waits.
  pollfd ready{descriptor, POLLIN, 0};
  if (::poll(&ready, 1, 0) <= 0) return;
  if (ready.revents & POLLIN)
    state_->answer_one(*found);
  else
    all.erase(found);
}

std::uint64_t Notifier::fired(std::size_t rule) const { return state_->fired.at(rule); }

}  // namespace lab::sandbox
