// A call that a signal interrupted, and that the kernel starts again by itself when no handler forbids it, is one call
// that took longer. Where the program went on to something else instead, it was given EINTR. Pure.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "evidence/collectors/syscalls_decode.hpp"

namespace lab::evidence {

struct SeenCall {
  raw_call raw;
  Ends ends;
};

// Of one sandbox: threads are told apart by their number in it.
class Restarts {
 public:
  // What can be told now, in order of time: nothing, this call, or an interrupted one and this.
  std::vector<SeenCall> pass(SeenCall call);
  // Interrupted, and nothing came after it: the thread was stopped, or never ran again.
  std::vector<SeenCall> rest();

 private:
  std::map<int, SeenCall> interrupted_;
};

}  // namespace lab::evidence
