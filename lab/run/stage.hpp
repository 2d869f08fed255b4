// From the first actor's start to the last snapshot: starts the roles in order, waits for events, ends the run.
#pragma once

#include "run/cast.hpp"
#include "run/channel.hpp"
#include "run/orders.hpp"
#include "run/watchers.hpp"
#include "scenario/types.hpp"
#include "system/clock.hpp"

namespace lab::run {

class Stage {
 public:
  // `orders`: null where nobody gives any.
  Stage(const scenario::Scenario& scenario, Teller& teller, Watchers& watchers, Cast& cast, Orders* orders = nullptr);
  // For children forked before there is a Stage: who dies meanwhile is told as soon as it listens.
  static void keep_child_signals();
  // To the last snapshot.
  RunEnd perform();
  // Ends whoever still runs, and reports what they did. Segments that a kill sends are nobody's doing but the lab's.
  void clear();

  // For a shell: servers and proxies only, then events until this child of init has ended. Its exit status as a shell
  // gives it.
  void start_servers();
  int serve_until(pid_t child);

 private:
  void start_servers(scenario::Role role);
  bool listening(const std::vector<const scenario::Actor*>& servers);
  // Serves events until `done`; false when the deadline or the order to stop came first.
  bool wait_until(const std::function<bool()>& done, const sys::Deadline& deadline, bool poll_listeners = false);
  void pump(int timeout_ms, int also = -1);
  void snapshots_from_now();  // often at first, seldom later
  void snapshot_if_due();
  void milestone(const char* what);
  bool main_part_ended() const;
  bool stopped() const { return orders_ && orders_->stop(); }
  RunEnd play();
  bool gone(scenario::Role role) const;

  const scenario::Scenario& scenario_;
  Teller& teller_;
  Watchers& watchers_;
  Cast& cast_;
  Orders* orders_;
  sys::Descriptor signals_;
  sys::Deadline deadline_;
  std::int64_t next_snapshot_ns_ = 0, snapshot_step_ns_ = 0;
  bool clients_follow_ = false;  // the servers are started for them
};

}  // namespace lab::run
