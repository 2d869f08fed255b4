#include "run/orders.hpp"

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>

#include "system/error.hpp"

namespace lab::run {

std::int32_t Orders::read() {
  std::int32_t word = 0;
  while (true) {
    const auto n = ::read(pipe_.get(), &word, sizeof word);
    if (n < 0 && errno == EINTR) continue;
    if (sys::check(n, "read lab's answer") == 0) throw sys::LabError("lab went away");
    return word;
  }
}

void Orders::stay_awake(const sys::Deadline& at_most) const {
  pollfd answer{pipe_.get(), POLLIN, 0};
  while (!at_most.passed() && ::poll(&answer, 1, 0) == 0) ::sched_yield();
}

// The order to stop may come before an answer that is under way.
std::int32_t Orders::answer() {
  while (true) {
    const auto word = read();
    if (word != kStop) return word;
    stop_ = true;
  }
}

void Orders::take() { stop_ |= read() == kStop; }

}  // namespace lab::run
