#include "sandbox/sandbox.hpp"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <exception>

#include "sandbox/unavailable.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/process.hpp"

namespace lab::sandbox {
namespace {

using sys::check;

constexpr int kLabFailed = 125;
int life_line_of_init = -1;

struct Born {
  pid_t pid = 0;  // 0 in the child
  sys::Descriptor pidfd;
};

// Handlers are reset by the kernel (CLONE_CLEAR_SIGHAND, 5.5): those of lab make no sense in another process.
Born clone_with_namespaces() {
  int pidfd = -1;
  clone_args how{};
  how.flags = CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_PIDFD |
              CLONE_CLEAR_SIGHAND;
  how.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  how.exit_signal = SIGCHLD;
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
  if (pid == -1) throw_no_namespaces(errno);
  return {pid, sys::Descriptor(pid ? pidfd : -1)};
}

// One user and one group, mapped to themselves. Without root the kernel wants setgroups(2) denied first, because a
// group that takes rights away could be dropped otherwise (man user_namespaces).
void write_maps(pid_t pid, const Identity& who) {
  const auto folder = sys::open_file("/proc/" + std::to_string(pid), O_RDONLY | O_DIRECTORY);
  const auto line = [](unsigned id) { return std::to_string(id) + " " + std::to_string(id) + " 1"; };
  if (!who.root_outside) sys::write_file("setgroups", "deny", folder.get());
  sys::write_file("uid_map", line(who.uid), folder.get());
  sys::write_file("gid_map", line(who.gid), folder.get());
}

// Ignored signals and the mask survive the clone: whoever started lab under nohup must not shape the programs inside.
void default_signals() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal <= SIGRTMAX; ++signal) ::sigaction(signal, &plain, nullptr);
  sigset_t none;
  sigemptyset(&none);
  check(::sigprocmask(SIG_SETMASK, &none, nullptr), "signal mask");
}

// The user namespace has no uid 0, so the kernel's rule that leaving uid 0 drops capabilities does not apply.
void take_identity(const Identity& who) {
  if (who.root_outside) {
    check(::syscall(SYS_setgroups, 0, nullptr), "setgroups in the sandbox");
    check(::syscall(SYS_setresgid, who.gid, who.gid, who.gid), "group of the sandbox");
    check(::syscall(SYS_setresuid, who.uid, who.uid, who.uid), "user of the sandbox");
  }
  // A change of identity made the process undumpable, and its files in /proc root's, who has no name in here.
  check(::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "dumpable");
  // The caller's session keyring is inherited; a new one dies with the last process inside. Kernels without: nothing to
  // do.
  ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
}

bool lab_is_gone(int life) {
  pollfd line{life, POLLIN, 0};
  return ::poll(&line, 1, 0) > 0;
}

// Everything between the clone and `init`. One byte on the life line says that the maps are written.
int live(const Plan& plan, int life, const std::function<int()>& init) {
  auto kept = plan.keep;
  kept.push_back(life);
  sys::close_descriptors_except(kept);
  default_signals();
  char byte;
  if (check(::read(life, &byte, 1), "life line") == 0) return kLabFailed;
  if (plan.own_session) ::setsid();
  take_identity(plan.identity);
  check(::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "parent-death signal");
  if (lab_is_gone(life)) return kLabFailed;  // it died before the signal was set
  life_line_of_init = life;
  return init();
}

[[noreturn]] void become_init(const Plan& plan, int life, const std::function<int()>& init) {
  int status = kLabFailed;
  try {
    status = live(plan, life, init);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lab: sandbox: %s\n", error.what());
  } catch (...) {
    std::fprintf(stderr, "lab: sandbox: unknown exception\n");
  }
  std::fflush(nullptr);
  ::_exit(status);
}

}  // namespace

struct Sandbox::State {
  pid_t pid = 0;
  sys::Descriptor pidfd;
  sys::Descriptor life;  // the only write end: closed by the kernel when lab dies
  bool reaped = false;
  int status = 0;
};

Sandbox Sandbox::make(const Plan& plan, const std::function<int()>& init) {
  auto life = sys::make_pipe();
  std::fflush(nullptr);  // the child has a copy of every buffer
  auto born = clone_with_namespaces();
  if (born.pid == 0) {
    life.write.reset();  // it may have taken the number of a closed standard stream, which is left open below
    become_init(plan, life.read.get(), init);
  }

  auto state = std::make_unique<State>();
  state->pid = born.pid;
  state->pidfd = std::move(born.pidfd);
  state->life = std::move(life.write);
  Sandbox sandbox(std::move(state));  // from here on an exception kills and reaps
  write_maps(sandbox.pid(), plan.identity);
  sys::write_all(sandbox.state_->life.get(), "g", "life line");
  return sandbox;
}

Sandbox::Sandbox(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sandbox::Sandbox(Sandbox&&) noexcept = default;

Sandbox& Sandbox::operator=(Sandbox&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}

Sandbox::~Sandbox() {
  if (!state_) return;
  kill();
  try {
    wait();
  } catch (const std::exception&) {
    // Reaped by somebody else: it is gone, which is all that matters here.
  }
}

pid_t Sandbox::pid() const { return state_->pid; }
int Sandbox::pidfd() const { return state_->pidfd.get(); }

void Sandbox::kill() noexcept { ::syscall(SYS_pidfd_send_signal, pidfd(), SIGKILL, nullptr, 0); }

int Sandbox::wait() {
  if (!state_->reaped) {
    state_->status = sys::reap(pidfd());
    state_->reaped = true;
  }
  return state_->status;
}

int life_line() { return life_line_of_init; }

}  // namespace lab::sandbox
