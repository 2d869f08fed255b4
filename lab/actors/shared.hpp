// Memory that init and its actors share. Made before the fork; nobody else can reach it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <string>
#include <utility>

#include "system/error.hpp"

namespace lab::actors {

// Owns one anonymous mapping, zeroed; its pages cost memory only once they are written to.
class Mapping {
 public:
  enum class Kind { shared, own };  // own: each process gets its copy of what was written before the fork

  Mapping() = default;
  Mapping(Kind kind, std::size_t bytes, const std::string& object) : bytes_(bytes) {
    const int sharing = kind == Kind::shared ? MAP_SHARED : MAP_PRIVATE;
    address_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address_ == MAP_FAILED) throw sys::KernelError(errno, object);
  }
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping() {
    if (address_) ::munmap(address_, bytes_);
  }

  std::byte* data() const { return static_cast<std::byte*>(address_); }
  std::size_t size() const { return bytes_; }

 private:
  void* address_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace lab::actors
