// Who removes a run's control groups: a process outside the sandbox that outlives lab by an instant.
#pragma once

#include <string>
#include <vector>

#include "system/descriptor.hpp"

namespace lab::sandbox {

// Forks it; the caller makes the groups afterwards. It waits for the end of file on a pipe whose only write end is this
// object's, then thaws, kills whatever is left in `folders`, removes them and ends.
class CgroupGuardian {
 public:
  explicit CgroupGuardian(const std::vector<std::string>& folders);
  CgroupGuardian(CgroupGuardian&&) noexcept = default;
  CgroupGuardian& operator=(CgroupGuardian&&) = delete;
  ~CgroupGuardian();  // waits until the groups are gone

 private:
  std::vector<std::string> folders_;
  sys::Descriptor pidfd_, life_;
};

}  // namespace lab::sandbox
