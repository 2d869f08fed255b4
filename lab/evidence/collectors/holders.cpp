#include "evidence/collectors/holders.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace lab::evidence {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// Every entry whose name is a number.
template <class Each>
void numbers_in(DIR* folder, const Each& each) {
  while (const auto* entry = ::readdir(folder)) {
    int number = 0;
    const auto* end = entry->d_name + std::strlen(entry->d_name);
    if (std::from_chars(entry->d_name, end, number).ptr == end) each(number, entry->d_name);
  }
}

// "socket:[12345]", as /proc/PID/fd/N reads (man 5 proc).
std::uint32_t socket_inode(int folder, const char* name) {
  char target[64];
  const auto length = ::readlinkat(folder, name, target, sizeof target);
  constexpr std::string_view prefix = "socket:[";
  if (length <= static_cast<ssize_t>(prefix.size()) || std::string_view(target, prefix.size()) != prefix) return 0;
  std::uint32_t inode = 0;
  std::from_chars(target + prefix.size(), target + length, inode);
  return inode;
}

}  // namespace

std::vector<int> processes() {
  std::vector<int> all;
  const Folder proc(::opendir("/proc"));
  const int self = ::getpid();
  if (proc)
    numbers_in(proc.get(), [&](int pid, const char*) {
      if (pid != self) all.push_back(pid);
    });
  std::sort(all.begin(), all.end());
  return all;
}

Holders Holders::of_everyone() {
  Holders holders;
  for (const int pid : processes()) {
    const Folder descriptors(::opendir(("/proc/" + std::to_string(pid) + "/fd").c_str()));
    if (!descriptors) continue;
    numbers_in(descriptors.get(), [&](int, const char* name) {
      const auto inode = socket_inode(::dirfd(descriptors.get()), name);
      if (!inode) return;
      auto& pids = holders.pids_[inode];
      if (pids.empty() || pids.back() != pid) pids.push_back(pid);
    });
  }
  return holders;
}

std::vector<int> Holders::of(std::uint32_t inode) const {
  const auto at = pids_.find(inode);
  return inode && at != pids_.end() ? at->second : std::vector<int>{};
}

}  // namespace lab::evidence
