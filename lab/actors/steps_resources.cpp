// Steps that use up what limits and control groups count.
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "actors/lane.hpp"
#include "system/clock.hpp"

namespace lab::actors {
namespace {

// Where N were asked for and `made` could be had.
void counted(Entry& entry, int error, std::uint64_t made) {
  entry.end(error ? Outcome::error : Outcome::ok, error, static_cast<std::int64_t>(made));
}

void* idle(void*) {
  while (true) ::pause();
}

}  // namespace

Lane::Next Lane::open_files(const Op& op, Entry& entry) {
  const auto wanted = op.step->size.value_or(0);
  std::uint64_t made = 0;
  int error = 0;
  for (; made < wanted && !error; ++made) {
    if (const int fd = ::openat(AT_FDCWD, "/dev/null", O_RDONLY); fd < 0) {
      error = errno;
      break;
    } else {
      entry.fields().fd = fd;
    }
  }
  counted(entry, error, made);
  return Next::go_on;
}

Lane::Next Lane::allocate(const Op& op, Entry& entry) {
  const auto size = op.step->size.value_or(0);
  void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    entry.failed(errno);
    return Next::go_on;
  }
  auto* bytes = static_cast<volatile char*>(memory);
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  for (std::uint64_t at = 0; at < size; at += page) bytes[at] = 1;
  entry.end(Outcome::ok, 0, static_cast<std::int64_t>(size));
  return Next::go_on;
}

Lane::Next Lane::spawn_threads(const Op& op, Entry& entry) {
  const auto wanted = op.step->size.value_or(0);
  std::uint64_t made = 0;
  int error = 0;
  for (; made < wanted; ++made) {
    pthread_t thread{};
    if ((error = ::pthread_create(&thread, nullptr, idle, nullptr))) break;
    ::pthread_detach(thread);
  }
  counted(entry, error, made);
  return Next::go_on;
}

// A file without a name (O_TMPFILE), closed out of the sight of a filter on close.
Lane::Next Lane::write_file(const Op& op, Entry& entry) {
  const int fd = ::openat(AT_FDCWD, "/tmp", O_TMPFILE | O_WRONLY, 0600);
  if (fd < 0) {
    entry.failed(errno, Via::openat);
    return Next::go_on;
  }
  entry.fields().fd = fd;
  entry.fields().via = Via::write;
  const auto wanted = op.step->size.value_or(0);
  std::uint64_t done = 0;
  int error = 0;
  while (done < wanted && !error) {
    const auto piece = std::min<std::uint64_t>(wanted - done, process_.plan.buffer);
    const auto put = ::write(fd, process_.pattern, piece);
    put < 0 ? static_cast<void>(error = errno) : static_cast<void>(done += static_cast<std::uint64_t>(put));
  }
  entry.end(error ? Outcome::error : Outcome::bytes, error, static_cast<std::int64_t>(done));
  sys::exempt_syscall(SYS_close, fd);
  return Next::go_on;
}

// CPU time of this thread; the clock that knows it is a system call, so it is asked once a millisecond.
Lane::Next Lane::burn(const Op& op, Entry& entry) {
  const auto used = [] {
    timespec t{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  const auto until = used() + op.step->duration.value_or(scenario::Duration{}).count();
  while (used() < until) {
    for (const auto pause = sys::now_ns() + 1'000'000; sys::now_ns() < pause;) {
    }
  }
  entry.ok();
  return Next::go_on;
}

}  // namespace lab::actors
