#ifndef LAB_BPF_MISSING

#include "evidence/collectors/kernel_ring.hpp"

#include <bpf/libbpf.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <string>
#include <utility>

#include "system/error.hpp"

namespace lab::evidence {
namespace {

// Every fork would copy a mapping of 513 pages. libbpf keeps to itself where it is; the kernel tells.
void keep_from_children() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t begin = 0, end = 0;
    if (!line.ends_with(" anon_inode:bpf-map")) continue;
    if (std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR, &begin, &end) != 2) continue;
    sys::check(::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTFORK),
               "keep the BPF ring from children");
  }
}

}  // namespace

void Ring::Close::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

// libbpf is C: nothing may be thrown through it.
Ring::Ring(int map, Take take, bool kept_from_children)
    : take_(std::move(take)),
      ring_(ring_buffer__new(
          map,
          [](void* ours, void* data, size_t size) {
            auto& ring = *static_cast<Ring*>(ours);
            try {
              ring.take_({static_cast<const char*>(data), size});
            } catch (...) {
              ring.failure_ = std::current_exception();
            }
            return 0;
          },
          this, nullptr)) {
  if (!ring_) throw sys::KernelError(errno, "BPF ring buffer");
  if (kept_from_children) keep_from_children();
}

Ring::~Ring() = default;

int Ring::descriptor() const { return ring_buffer__epoll_fd(ring_.get()); }

void Ring::consume() {
  ring_buffer__consume(ring_.get());
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

}  // namespace lab::evidence

#endif
