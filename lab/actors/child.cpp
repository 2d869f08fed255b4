#include "actors/child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "actors/lane.hpp"
#include "actors/program.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/exempt.hpp"

namespace lab::actors {
namespace {

constexpr int kExitOfTheLab = 125, kExitNotFound = 127, kExitNotRunnable = 126;
constexpr rlim_t kHigh = 1000;  // where the channel to init lies, out of the way of an actor's own numbers

// Init blocks and handles signals; what it ignores would be inherited by programs.
// Steps see EPIPE, as Python's programs do.
void default_signals(const scenario::Actor& actor) {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);  // EINVAL for KILL, STOP and libc's own
  if (actor.run.empty()) ::signal(SIGPIPE, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sys::check(::sigprocmask(SIG_SETMASK, &none, nullptr), "unblock signals");
}

void standard_streams(const Casting& casting) {
  const sys::Descriptor null(sys::check(::openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC), "/dev/null"));
  sys::check(::dup2(null.get(), STDIN_FILENO), "standard input");
  sys::check(::dup2(casting.output < 0 ? null.get() : casting.output, STDOUT_FILENO), "standard output");
  sys::check(::dup2(casting.error < 0 ? null.get() : casting.error, STDERR_FILENO), "standard error");
}

int channel_out_of_the_way(int event) {
  rlimit files{};
  sys::check(::getrlimit(RLIMIT_NOFILE, &files), "limit of descriptors");
  const auto number = static_cast<int>(std::min(files.rlim_cur - 1, kHigh));
  return sys::check(::fcntl(event, F_DUPFD_CLOEXEC, number), "channel to init");
}

// Needs init only for its readiness, and an operator for its acts.
bool needs_channel(const Part& part) {
  return part.actor.run.empty() && (part.actor.listen || part.actor.role == scenario::Role::op);
}

void wait_for_start(Records& records) {
  auto& front = records.front();
  while (!front.started.load(std::memory_order_acquire)) futex_wait(front.started, 0);
}

// Clients start at once: the last one that is there lets everyone go.
void start_together(Records& records, std::uint32_t instance) {
  auto& front = records.front();
  records.arrive(instance);
  while (!front.go.load(std::memory_order_acquire)) futex_wait(front.go, 0);
}

[[noreturn]] void run_program(const Part& part) {
  const int error = execute(part.command, part.environment, true);
  const auto name = part.actor.run[0];
  const std::string hint = error == ENOENT && name.find('/') == std::string::npos ? " (not found in PATH)" : "";
  part.records.fail(Failed::program, part.actor.name + ": cannot run '" + name + "': " + std::strerror(error) + hint);
  ::_exit(error == ENOENT ? kExitNotFound : kExitNotRunnable);
}

void tell_readiness(Process& process, Listening how) {
  auto& front = process.records.front();
  front.listening.store(static_cast<std::uint32_t>(how), std::memory_order_release);
  notify(process.channel);
  if (process.actor.role == scenario::Role::op) return;
  sys::exempt_syscall(SYS_close, process.channel);
  process.channel = -1;
}

void record_unstarted(Process& process, std::uint32_t instance, int error) {
  auto& record = process.records.instance(instance).spawn;
  record.pid = record.tid = process.pid;
  record.start_ns = record.end_ns = sys::now_ns();
  record.error = error;
  record.via = Via::clone3;
  std::atomic_ref(record.outcome).store(static_cast<std::uint8_t>(Outcome::error), std::memory_order_release);
}

void perform(Process& process, Instance& instance, const Casting& casting) {
  if (casting.together) start_together(process.records, instance.number);
  Lane(process, instance).perform();
  for (const int fd : instance.open) ::close(fd);
}

[[noreturn]] void run_steps(const Part& part, const Casting& casting, int channel, pid_t pid) {
  Process process{.actor = part.actor,
                  .plan = part.plan,
                  .records = part.records,
                  .environment = part.environment,
                  .buffer = part.buffer,
                  .pattern = part.pattern,
                  .channel = channel,
                  .pid = pid,
                  .close_at_end = casting.close_at_end};
  if (part.actor.listen && !open_listener(process)) {
    tell_readiness(process, Listening::failed);
    end_of_steps();
  }
  std::deque<Instance> instances(casting.count);
  for (std::uint32_t i = 0; i < casting.count; ++i) {
    instances[i].number = casting.first + i;
    instances[i].named.resize(part.plan.names.size());
  }
  for (std::uint32_t i = 1; i < casting.count; ++i) {
    const int error = process.threads.start([&, i] { perform(process, instances[i], casting); });
    if (!error) continue;
    record_unstarted(process, instances[i].number, error);
    if (casting.together) part.records.arrive(instances[i].number);
  }
  // Every accepting thread is there, or has failed, before a client comes: none starts in the place of one that is
  // done.
  if (part.actor.listen) tell_readiness(process, Listening::open);
  perform(process, instances[0], casting);
  process.threads.join();
  end_of_steps();
}

}  // namespace

void notify(int event) {
  const std::uint64_t one = 1;
  sys::exempt_syscall(SYS_write, event, reinterpret_cast<long>(&one), sizeof one);
}

void end_of_steps() {
  while (true) sys::exempt_syscall(SYS_exit_group, 0);
}

void play(const Part& part, const Casting& casting, const Prepare& prepare) {
  int channel = -1;
  try {
    const auto pid = ::getpid();
    default_signals(part.actor);
    standard_streams(casting);
    if (needs_channel(part)) channel = channel_out_of_the_way(part.event);
    for (std::uint32_t i = 0; i < casting.count; ++i)
      part.records.instance(casting.first + i).pid.store(static_cast<std::uint32_t>(pid));
    if (prepare) prepare(part.actor, casting.first, channel);
    if (!part.context.folder.empty() && (!part.actor.run.empty() || part.plan.output))
      sys::check(sys::exempt_syscall(SYS_chdir, reinterpret_cast<long>(part.context.folder.c_str())),
                 "working folder " + part.context.folder);
    if (!part.actor.run.empty()) run_program(part);
    if (casting.ahead) wait_for_start(part.records);
    run_steps(part, casting, channel, pid);
  } catch (const std::exception& failure) {
    part.records.fail(Failed::lab, part.actor.name + ": " + failure.what());
  } catch (...) {
    part.records.fail(Failed::lab, part.actor.name + ": unknown failure");
  }
  ::_exit(kExitOfTheLab);
}

}  // namespace lab::actors
