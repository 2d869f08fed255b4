#include "run/stage.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "sandbox/sandbox.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::run {

using scenario::Role;

namespace {

// Sockets are looked at soon after the start and then ever more seldom: a dump costs some 0.3 ms.
constexpr std::int64_t kFirstSnapshot = 20'000'000, kLongestStep = 500'000'000;
// No notification tells of a listening socket; diagnostics are asked this often, in ms.
constexpr int kListenPoll = 2;

// Blocked, it is kept although nobody handles it (sig_ignored in kernel/signal.c).
sigset_t block_child_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sys::check(sigprocmask(SIG_BLOCK, &set, nullptr), "block SIGCHLD");
  return set;
}

sys::Descriptor child_signals() {
  const auto set = block_child_signals();
  return sys::Descriptor(sys::check(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

// Which local addresses are listened on.
class Listeners : public evidence::Sink {
 public:
  void put(evidence::Event event) override {
    if (const auto* socket = std::get_if<evidence::SocketState>(&event.what); socket && socket->state == "LISTEN")
      found_.push_back(socket->local);
  }
  // A listener on the wildcard address serves every address of the machine.
  bool serve(const scenario::Endpoint& wanted) const {
    return std::any_of(found_.begin(), found_.end(), [&](const auto& local) { return local.port == wanted.port; });
  }

 private:
  std::vector<evidence::Address> found_;
};

}  // namespace

Stage::Stage(const scenario::Scenario& scenario, Teller& teller, Watchers& watchers, Cast& cast, Orders* orders)
    : scenario_(scenario),
      teller_(teller),
      watchers_(watchers),
      cast_(cast),
      orders_(orders),
      signals_(child_signals()),
      deadline_(sys::Deadline::after_ns(scenario.timeout.count())) {}

void Stage::keep_child_signals() { block_child_signals(); }

void Stage::milestone(const char* what) { teller_.put({.t_ns = sys::now_ns(), .what = evidence::Milestone{what}}); }

bool Stage::listening(const std::vector<const scenario::Actor*>& servers) {
  if (servers.empty()) return true;
  Listeners listeners;
  watchers_.listeners(listeners);
  return std::all_of(servers.begin(), servers.end(),
                     [&](const auto* actor) { return listeners.serve(*actor->listen); });
}

void Stage::start_servers(Role role) {
  if (!cast_.start(role)) return;
  const auto awaited = cast_.listeners_awaited(role);
  // They get ready while the servers do. A program may take its time until it listens, and no client is to be seen.
  if (clients_follow_ && awaited.empty()) cast_.fork_ahead(Role::client);
  const auto patience = sys::Deadline::at_ns(std::min(deadline_.at(), sys::now_ns() + scenario_.timeout.count() / 2));
  const bool ready =
      wait_until([&] { return cast_.ready(role) && (listening(awaited) || gone(role)); }, patience, !awaited.empty());
  if (!ready && !stopped()) milestone("not-listening");
}

// What a daemon leaves behind may still come to listen.
bool Stage::gone(Role role) const { return cast_.ended(role) && !cast_.left_orphans(); }

bool Stage::main_part_ended() const {
  const bool clients = cast_.has(Role::client);
  if (!clients) return cast_.all_ended();
  return cast_.ended(Role::client) && cast_.ended(Role::op);
}

void Stage::start_servers() {
  start_servers(Role::server);
  start_servers(Role::proxy);
}

int Stage::serve_until(pid_t child) {
  const auto pidfd = sys::open_process(child);
  while (true) {
    pollfd ended{pidfd.get(), POLLIN, 0};
    int status = 0;
    if (::poll(&ended, 1, 0) > 0 && ::waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    pump(-1, pidfd.get());
  }
}

// Nobody is started behind the order to stop: who never had a turn must not look like one that did nothing.
RunEnd Stage::play() {
  clients_follow_ = true;
  start_servers();
  if (stopped()) {
    milestone("unstarted");
    return RunEnd::interrupted;
  }
  snapshots_from_now();
  cast_.start(Role::op);
  cast_.start(Role::client);
  if (wait_until([&] { return main_part_ended(); }, deadline_)) return RunEnd::complete;
  return stopped() ? RunEnd::interrupted : RunEnd::deadline;
}

RunEnd Stage::perform() {
  const auto end = play();
  const bool in_time = end == RunEnd::complete;
  milestone(in_time ? "clients-ended" : end == RunEnd::deadline ? "deadline" : "interrupted");
  cast_.look_at_groups();
  if (!cast_.all_ended()) watchers_.snapshot(teller_, "change", true);
  if (in_time)
    wait_until([&] { return cast_.all_ended(); },
               sys::Deadline::at_ns(std::min(deadline_.at(), sys::now_ns() + scenario_.grace.count())));
  watchers_.finish(teller_);
  milestone("stopping");
  return end;
}

void Stage::clear() {
  cast_.finish();
  milestone("end");
}

bool Stage::wait_until(const std::function<bool()>& done, const sys::Deadline& deadline, bool poll_listeners) {
  while (true) {
    cast_.check();
    if (done()) return true;
    if (deadline.passed() || stopped()) return false;
    int wait = deadline.poll_ms();
    if (poll_listeners) wait = std::min(wait, kListenPoll);
    if (next_snapshot_ns_) wait = std::min(wait, sys::Deadline::at_ns(next_snapshot_ns_).poll_ms());
    pump(wait);
    snapshot_if_due();
  }
}

// One that is due earlier is not put off.
void Stage::snapshots_from_now() {
  const auto soon = sys::now_ns() + kFirstSnapshot;
  next_snapshot_ns_ = next_snapshot_ns_ ? std::min(next_snapshot_ns_, soon) : soon;
  snapshot_step_ns_ = kFirstSnapshot;
}

void Stage::snapshot_if_due() {
  if (watchers_.look_is_due()) snapshots_from_now();
  if (!next_snapshot_ns_ || sys::now_ns() < next_snapshot_ns_) return;
  cast_.look_at_groups();
  watchers_.drain(teller_);
  watchers_.snapshot(teller_, "change", true);
  snapshot_step_ns_ = std::min(snapshot_step_ns_ * 2, kLongestStep);
  next_snapshot_ns_ = sys::now_ns() + snapshot_step_ns_;
}

void Stage::pump(int timeout_ms, int also) {
  std::vector<pollfd> waiting{{sandbox::life_line(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
  for (int fd : cast_.descriptors()) waiting.push_back({fd, POLLIN, 0});
  const auto of_watchers = waiting.size();
  for (int fd : watchers_.descriptors()) waiting.push_back({fd, POLLIN, 0});
  if (also >= 0) waiting.push_back({also, POLLIN, 0});
  waiting.push_back({orders_ ? orders_->descriptor() : -1, POLLIN, 0});  // poll passes over a negative one

  const int n = ::poll(waiting.data(), waiting.size(), timeout_ms);
  if (n < 0 && errno == EINTR) return;
  sys::check(n, "poll");
  if (waiting[0].revents) ::_exit(125);  // lab is gone
  if (waiting.back().revents) orders_->take();
  const auto readable = [](const pollfd& p) { return p.revents != 0; };
  const auto middle = waiting.begin() + static_cast<std::ptrdiff_t>(of_watchers);
  if (std::any_of(waiting.begin() + 2, middle, readable))
    cast_.serve([&](int fd) {
      return std::any_of(waiting.begin() + 2, middle, [&](auto& p) { return p.fd == fd && p.revents; });
    });
  if (std::any_of(middle, waiting.end() - 1, readable)) watchers_.drain(teller_);
  if (waiting[1].revents) {
    signalfd_siginfo info[16];
    while (::read(signals_.get(), info, sizeof info) > 0) {
    }
    if (also < 0) cast_.reap();
  }
}

}  // namespace lab::run
