// The one clock: CLOCK_MONOTONIC in nanoseconds (vDSO: no system call).
#pragma once

#include <cstdint>
#include <ctime>
#include <functional>

namespace lab::sys {

inline std::int64_t now_ns() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// CLOCK_REALTIME in nanoseconds since 1970.
inline std::int64_t realtime_ns() {
  timespec t{};
  clock_gettime(CLOCK_REALTIME, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

// CLOCK_REALTIME, read between two reads of CLOCK_MONOTONIC; ns.
struct BothClocks {
  std::int64_t before, realtime, after;
  std::int64_t width() const { return after - before; }
};

// What CLOCK_REALTIME is ahead of CLOCK_MONOTONIC by, ns. Whoever reads them may lose the CPU in between, for
// milliseconds: of several readings the quickest counts, which is wrong by half of its width at the most.
std::int64_t realtime_ahead_ns();
std::int64_t realtime_ahead_ns(const std::function<BothClocks()>& read);

// A point on the monotonic clock that a wait must not pass.
class Deadline {
 public:
  static Deadline after_ns(std::int64_t ns) { return Deadline(now_ns() + ns); }
  static Deadline at_ns(std::int64_t t) { return Deadline(t); }
  bool passed() const { return now_ns() >= at_; }
  std::int64_t at() const { return at_; }
  // For poll(2): rounded up, never negative.
  int poll_ms() const {
    const auto left = at_ - now_ns();
    return left <= 0 ? 0 : static_cast<int>((left + 999'999) / 1'000'000);
  }

 private:
  explicit Deadline(std::int64_t at) : at_(at) {}
  std::int64_t at_;
};

}  // namespace lab::sys
