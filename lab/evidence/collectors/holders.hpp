// Which processes hold a socket: /proc/PID/fd of everybody in the sandbox's pid namespace.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace lab::evidence {

class Holders {
 public:
  // Walks /proc; the caller's own process is left out. Processes that end meanwhile are passed over.
  static Holders of_everyone();
  // Nobody but the caller holds a socket.
  bool none() const { return pids_.empty(); }
  // Pids in ascending order; empty for inode 0 or one that nobody holds.
  std::vector<int> of(std::uint32_t inode) const;

 private:
  std::unordered_map<std::uint32_t, std::vector<int>> pids_;
};

// The numbers in /proc, ascending, without the caller's own.
std::vector<int> processes();

}  // namespace lab::evidence
