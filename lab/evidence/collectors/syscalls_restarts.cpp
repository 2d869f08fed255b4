#include "evidence/collectors/syscalls_restarts.hpp"

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "evidence/collectors/syscalls_judge.h"

namespace lab::evidence {
namespace {

bool is_interrupted(const raw_call& raw) {
  const int error = call_error(raw.result);
  return raw.returned && error >= ERROR_RESTART_FIRST && error <= ERROR_RESTART_LAST;
}

// A wait with a time limit goes on as restart_syscall(2), in whose place the arguments still stand.
bool continues(const raw_call& raw, const raw_call& before) {
  return (raw.nr == before.nr || raw.nr == SYS_restart_syscall) &&
         std::equal(std::begin(raw.args), std::end(raw.args), before.args);
}

// It is told as of its beginning.
void never_returned(raw_call& raw) {
  raw.header.t_ns = raw.start_ns;
  raw.queued_ns = raw.start_queued_ns;
}

}  // namespace

std::vector<SeenCall> Restarts::pass(SeenCall call) {
  std::vector<SeenCall> out;
  if (auto held = interrupted_.extract(call.raw.tid); !held.empty()) {
    auto& before = held.mapped();
    if (continues(call.raw, before.raw)) {
      call.raw.nr = before.raw.nr;
      call.raw.start_ns = before.raw.start_ns;
      call.raw.start_queued_ns = before.raw.start_queued_ns;
      if (!call.raw.returned) never_returned(call.raw);
    } else {
      before.raw.result = -EINTR;
      out.push_back(std::move(before));
    }
  }
  if (call.raw.nr == SYS_restart_syscall) return out;  // of a call that is not looked at
  if (is_interrupted(call.raw))
    interrupted_.emplace(call.raw.tid, std::move(call));
  else
    out.push_back(std::move(call));
  return out;
}

std::vector<SeenCall> Restarts::rest() {
  std::vector<SeenCall> out;
  for (auto& [tid, call] : interrupted_) {
    call.raw.returned = 0;
    never_returned(call.raw);
    out.push_back(std::move(call));
  }
  interrupted_.clear();
  return out;
}

}  // namespace lab::evidence
