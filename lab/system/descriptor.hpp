// The one owner of a file descriptor.
#pragma once

#include <unistd.h>

#include <utility>
#include <vector>

namespace lab::sys {

// Move-only; closes on destruction. Usable when constructed from a valid number.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    if (this != &other) {
      reset();
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  ~Descriptor() { reset(); }

  int get() const { return number_; }
  bool valid() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }
  // close(2) on Linux frees the number even when it reports EINTR: never retried, never an error here.
  void reset() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

// Closes every descriptor above 2 that is not in `kept` (any order; -1 is ignored), owned or not: for a child that
// goes on without exec. man close_range.
void close_descriptors_except(std::vector<int> kept);

}  // namespace lab::sys
