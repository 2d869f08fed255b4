// Waiting on a word of shared memory. man 2 futex.
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <ctime>

#include "system/exempt.hpp"

namespace lab::actors {

using Word = std::atomic<std::uint32_t>;
static_assert(Word::is_always_lock_free);

// Whose call it is: a step's (`signal`, `wait`), which a filter may hit, or the lab's own.
enum class Whose { steps, labs };

// Returns when `word` may have changed from `seen`; the caller looks again. Between processes, so not FUTEX_PRIVATE.
inline void futex_wait(Word& word, std::uint32_t seen, Whose whose = Whose::labs) {
  const auto at = reinterpret_cast<long>(&word);
  const long result = whose == Whose::labs ? sys::exempt_syscall(SYS_futex, at, FUTEX_WAIT, seen)
                                           : ::syscall(SYS_futex, at, FUTEX_WAIT, seen, nullptr, nullptr, 0);
  if (result == 0 || errno == EAGAIN || errno == EINTR) return;
  // A filter fails futex(2): the wait must neither end early nor eat the CPU.
  const timespec pause{0, 1'000'000};
  ::nanosleep(&pause, nullptr);
}

// 0, or the errno of a filter's that had nobody woken.
inline int futex_wake_all(Word& word, Whose whose = Whose::labs) {
  const auto at = reinterpret_cast<long>(&word);
  const long result = whose == Whose::labs ? sys::exempt_syscall(SYS_futex, at, FUTEX_WAKE, INT_MAX)
                                           : ::syscall(SYS_futex, at, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
  return result == -1 ? errno : 0;
}

}  // namespace lab::actors
