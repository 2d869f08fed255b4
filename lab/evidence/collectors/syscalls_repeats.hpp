// Thins out calls that are repeated very often, as the BPF programs do (kernel_raw.h, RAW_BURST). Pure.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <vector>

#include "evidence/collectors/syscalls_decode.hpp"

namespace lab::evidence {

class Repeats {
 public:
  // True: leave it out. False: report it; `call` then carries how many like it were left out before.
  bool fold(raw_call& call, int fd, int outcome, const Ends& ends);
  // The last of what was left out, and how many in all.
  struct Rest {
    std::vector<Event> events;
    std::uint64_t left_out = 0;
  };
  Rest rest();

 private:
  struct Key {
    Ends ends;
    int pid, fd, outcome;
    std::uint32_t nr;
    auto operator<=>(const Key&) const = default;
  };
  struct Seen {
    raw_repeat state{};
    Ends ends;
  };
  std::map<Key, Seen> seen_;
  std::uint64_t left_out_ = 0;
};

}  // namespace lab::evidence
