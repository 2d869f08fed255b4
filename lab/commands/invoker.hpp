// Whose rights a file is made with: under sudo those of the user who called it. man setfsuid.
#pragma once

#include <sys/types.h>

#include <vector>

namespace lab::commands {

// While it lives, this thread's file-system identity is the invoking user's, groups included. Does nothing without
// sudo. An identity other than root's also clears the thread's file capabilities (capabilities(7)), until it is undone.
class AsInvoker {
 public:
  AsInvoker();
  ~AsInvoker();
  AsInvoker(const AsInvoker&) = delete;
  AsInvoker& operator=(const AsInvoker&) = delete;

 private:
  bool active_ = false;
  std::vector<gid_t> groups_;  // to go back to
};

}  // namespace lab::commands
