// Steps that anybody may take.
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>

#include "actors/child.hpp"
#include "actors/lane.hpp"
#include "actors/program.hpp"
#include "system/clock.hpp"

namespace lab::actors {

Lane::Next Lane::sleep(const Op& op, Entry& entry) {
  const auto until = sys::now_ns() + op.step->duration.value_or(scenario::Duration{}).count();
  const timespec at{static_cast<time_t>(until / 1'000'000'000), static_cast<long>(until % 1'000'000'000)};
  const int error = ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr);
  error ? entry.failed(error) : entry.ok();
  return Next::go_on;
}

Lane::Next Lane::signal(const Op& op, Entry& entry) {
  const int error = Board::shared().signal(op.step->words[0]);
  error ? entry.failed(error) : entry.ok();
  return Next::go_on;
}

Lane::Next Lane::wait(const Op& op, Entry& entry) {
  Board::shared().wait(op.step->words[0]);
  entry.ok();
  return Next::go_on;
}

// The child does the body and ends with status 0; nobody waits for it but init.
Lane::Next Lane::fork(const Op& op, Entry& entry) {
  // Held over the fork, so that the child does not inherit a lock of a thread that it hasn't got.
  std::unique_lock names(instance_.lock);
  auto threads = process_.threads.hold();
  const auto child = ::fork();
  names.unlock();
  threads.unlock();
  if (child != 0) {
    child < 0 ? entry.failed(errno) : entry.ok();
    return Next::go_on;
  }
  process_.threads.forget();
  process_.pid = static_cast<pid_t>(sys::exempt_syscall(SYS_getpid));
  become_current_thread();
  run(index_of(op) + 1, op.next);
  process_.threads.join();
  end_of_steps();
}

// SIGPIPE goes back to its default: a program inherits what is ignored.
Lane::Next Lane::exec(const Op& op, Entry& entry) {
  const auto command = pointers_to(op.command);
  const auto disposition = ::signal(SIGPIPE, SIG_DFL);
  entry.ok();
  const int error = execute(command, process_.environment, false);
  ::signal(SIGPIPE, disposition);
  entry.came_back(error);
  return Next::go_on;
}

Lane::Next Lane::exit(const Op& op, Entry& entry) {
  entry.ok();
  ::_exit(static_cast<int>(op.step->size.value_or(0)));
}

Lane::Next Lane::abort(const Op&, Entry& entry) {
  entry.ok();
  std::abort();
}

// A real read of address 0; volatile, so that no compiler reasons it away.
#if defined(__clang__) || defined(__GNUC__)
__attribute__((no_sanitize("undefined", "address")))
#endif
Lane::Next
Lane::crash(const Op&, Entry& entry) {
  entry.ok();
  const volatile int* volatile nowhere = nullptr;
  return *nowhere ? Next::go_on : Next::end;
}

Lane::Next Lane::raise(const Op& op, Entry& entry) {
  const auto number = static_cast<int>(op.step->size.value_or(0));
  if (number == SIGPIPE) ::signal(SIGPIPE, SIG_DFL);
  entry.ok();
  ::raise(number);
  return Next::go_on;
}

Lane::Next Lane::print(const Op& op, Entry& entry) {
  const auto written = ::write(STDOUT_FILENO, op.text.data(), op.text.size());
  written < 0 ? entry.failed(errno) : entry.ok();
  return Next::go_on;
}

}  // namespace lab::actors
