// One loop over descriptors: each has a callback. man poll.
#pragma once

#include <poll.h>

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "system/clock.hpp"

namespace lab::sys {

class Poller {
 public:
  using Callback = std::function<void(short events)>;  // POLLIN, POLLHUP, POLLERR, …
  enum class Woke { events, deadline, signal };

  // Replaces an earlier callback of the same descriptor. The caller keeps the descriptor open until forget().
  void watch(int descriptor, Callback callback, short events = POLLIN);
  void forget(int descriptor);
  bool watches(int descriptor) const { return watched_.count(descriptor) != 0; }
  std::size_t size() const { return watched_.size(); }

  // Waits once and calls back whatever is ready, in order of descriptor number. Callbacks may watch and forget;
  // one that was forgotten during this round is not called. `signal`: a handler ran before anything was ready.
  Woke wait(const Deadline& deadline);

 private:
  struct Entry {
    Callback callback;
    short events;
  };
  std::map<int, std::shared_ptr<Entry>> watched_;
  std::vector<pollfd> polled_;
};

}  // namespace lab::sys
