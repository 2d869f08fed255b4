// Memory that a process and its children write without a system call. man mmap (MAP_SHARED | MAP_ANONYMOUS).
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "system/error.hpp"

namespace lab::sys {

// `count` objects of T, value-initialised. Made before the fork;
// unmapped by whoever's destructor runs, which leaves the others' mapping alone.
template <class T>
class Shared {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  Shared() = default;
  explicit Shared(std::size_t count) : count_(count) {
    if (count == 0) return;
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw KernelError(errno, "shared memory");
    memory_ = static_cast<T*>(memory);
    for (std::size_t i = 0; i < count; ++i) new (memory_ + i) T();
  }
  Shared(Shared&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  Shared& operator=(Shared&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~Shared() {
    if (memory_) ::munmap(memory_, bytes());
  }

  std::size_t size() const { return count_; }
  T* data() { return memory_; }
  const T* data() const { return memory_; }
  T& operator[](std::size_t i) { return memory_[i]; }
  const T& operator[](std::size_t i) const { return memory_[i]; }
  std::span<T> all() { return {memory_, count_}; }
  std::span<const T> all() const { return {memory_, count_}; }

 private:
  std::size_t bytes() const { return count_ * sizeof(T); }
  T* memory_ = nullptr;
  std::size_t count_ = 0;
};

}  // namespace lab::sys
