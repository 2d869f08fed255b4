#include "run/orders.hpp"

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
