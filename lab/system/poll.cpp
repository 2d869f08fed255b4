#include "system/poll.hpp"

#include <cerrno>
#include <utility>

#include "system/error.hpp"

namespace lab::sys {

void Poller::watch(int descriptor, Callback callback, short events) {
  watched_[descriptor] = std::make_shared<Entry>(Entry{std::move(callback), events});
}

void Poller::forget(int descriptor) { watched_.erase(descriptor); }

Poller::Woke Poller::wait(const Deadline& deadline) {
  polled_.clear();
  std::vector<std::shared_ptr<Entry>> entries;
  for (const auto& [descriptor, entry] : watched_) {
    polled_.push_back({descriptor, entry->events, 0});
    entries.push_back(entry);
  }
  const int ready = ::poll(polled_.data(), polled_.size(), deadline.poll_ms());
  if (ready == -1 && errno == EINTR) return Woke::signal;
  if (check(ready, "wait for events") == 0) return Woke::deadline;

  const auto round = polled_;
  for (std::size_t i = 0; i < round.size(); ++i) {
    if (round[i].revents == 0) continue;
    // The same entry, not merely the same number: a callback may have closed it and another taken its place.
    const auto still = watched_.find(round[i].fd);
    if (still != watched_.end() && still->second == entries[i]) entries[i]->callback(round[i].revents);
  }
  return Woke::events;
}

}  // namespace lab::sys
