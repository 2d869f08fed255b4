#include "troupe.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

#include "sandbox/confine.hpp"
#include "sandbox/seccomp.hpp"
#include "scenario/reader.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"

namespace lab::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(20);

int child_signals() {
  static const sys::Descriptor signals = [] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sys::check(::sigprocmask(SIG_BLOCK, &set, nullptr), "block SIGCHLD");
    return sys::Descriptor(sys::check(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
  }();
  return signals.get();
}

// In place of a child that was reaped. Never given to kill(2), to which 0 and below are whole groups of processes.
constexpr pid_t kReaped = 0;

// The wait status of a child that was killed here; nothing for one that was reaped before.
std::optional<int> stop(pid_t pid) {
  if (pid <= 1) return {};
  int status = 0;
  sys::check(::kill(pid, SIGKILL), "kill a child of this test");
  sys::check(::waitpid(pid, &status, 0), "reap a child of this test");
  return status;
}

}  // namespace

scenario::Actor acting(Role role, const std::vector<std::string>& steps) {
  scenario::Actor actor;
  actor.role = role;
  actor.name = std::string(scenario::name_of(role));
  for (const auto& text : steps) {
    const auto read = scenario::parse_step(text, {}, role, scenario::Family::ipv4);
    for (const auto& mistake : read.mistakes) ADD_FAILURE() << text << ": " << to_string(mistake);
    actor.steps.push_back(read.value);
  }
  return actor;
}

scenario::Actor server(const std::vector<std::string>& steps, std::uint16_t port) {
  auto actor = acting(Role::server, steps);
  actor.listen = scenario::Endpoint{"127.0.0.1", port};
  return actor;
}

scenario::Actor client(const std::vector<std::string>& steps) { return acting(Role::client, steps); }

scenario::Actor program(Role role, const std::vector<std::string>& words) {
  auto actor = acting(role, {});
  actor.run = words;
  return actor;
}

void confined(const scenario::Actor& actor, std::uint32_t, int keep_fd) {
  sandbox::confine(
      {.limits = &actor.limits, .program = !actor.run.empty(), .identity = {.uid = ::getuid(), .gid = ::getgid()}},
      keep_fd);
  if (actor.seccomp) (void)sandbox::load(sandbox::compile(*actor.seccomp, !actor.run.empty()));
}

Troupe::Troupe(std::vector<scenario::Actor> all, actors::Context context) : what_(std::move(all)) {
  child_signals();
  actors::Board::shared().clear();
  for (const auto& actor : what_) members_.push_back(std::make_unique<actors::Actor>(actor, context));
  pids_.resize(what_.size());
}

Troupe::~Troupe() {
  for (const auto& pids : pids_) {
    for (const auto pid : pids) {
      stop(pid);
    }
  }
}

void Troupe::only_standard_descriptors(const scenario::Actor&, std::uint32_t, int keep_fd) {
  sys::close_descriptors_except({keep_fd});
}

void Troupe::start(std::size_t i) {
  pids_[i] = members_[i]->start(prepare);
  if (started) started(what_[i], pids_[i]);
}

void Troupe::play(std::chrono::milliseconds grace) {
  const auto deadline = Clock::now() + kPatience;
  for (std::size_t i = 0; i < what_.size(); ++i) {
    if (!what_[i].listen) continue;
    start(i);
    while (!members_[i]->ready()) ASSERT_TRUE(pump(deadline)) << "the server is never ready";
  }
  for (std::size_t i = 0; i < what_.size(); ++i) {
    if (!what_[i].listen) start(i);
  }
  while (!clients_ended()) {
    if (!pump(deadline)) {
      ADD_FAILURE() << "the clients never end";
      break;
    }
  }
  const auto over = Clock::now() + grace;
  const auto left = [](const auto& member) { return !member->all_ended(); };
  while (std::any_of(members_.begin(), members_.end(), left) && pump(over)) {
  }
  for (std::size_t i = 0; i < what_.size(); ++i) {
    if (!left(members_[i])) continue;
    for (auto& pid : pids_[i]) {
      if (const auto status = stop(pid)) members_[i]->ended(pid, *status);
      pid = kReaped;
    }
  }
  pump(Clock::now());
  for (const auto& member : members_) EXPECT_TRUE(may_fail || member->failure().empty()) << member->failure();
}

bool Troupe::clients_ended() const {
  bool some = false, all = true, everyone = true;
  for (std::size_t i = 0; i < what_.size(); ++i) {
    everyone = everyone && members_[i]->all_ended();
    if (what_[i].role == Role::server || what_[i].role == Role::proxy) continue;
    some = true;
    all = all && members_[i]->all_ended();
  }
  return some ? all : everyone;
}

bool Troupe::pump(Clock::time_point until) {
  std::vector<pollfd> waiting{{child_signals(), POLLIN, 0}};
  for (const auto& member : members_) {
    for (const int fd : member->descriptors()) waiting.push_back({fd, POLLIN, 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  const int n = ::poll(waiting.data(), waiting.size(), static_cast<int>(std::max<long>(0, left)));
  signalfd_siginfo ignored{};
  while (::read(waiting[0].fd, &ignored, sizeof ignored) > 0) {
  }
  reap();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    members_[i]->drain(
        [&](std::uint32_t, bool error, const std::string& text) { output_[i] += (error ? "! " : "") + text + "\n"; });
  }
  return n > 0;
}

void Troupe::reap() {
  for (std::size_t i = 0; i < pids_.size(); ++i) {
    for (auto& pid : pids_[i]) {
      int status = 0;
      if (pid <= 0 || ::waitpid(pid, &status, WNOHANG) != pid) continue;
      members_[i]->ended(pid, status);
      pid = kReaped;
    }
  }
}

std::string Troupe::told(std::size_t actor, std::uint32_t instance) const {
  std::string all;
  for (const auto& step : members_[actor]->report()) {
    if (step.instance != instance) continue;
    all += (all.empty() ? "" : ", ") + step.step->name + " " + step.outcome;
  }
  return all;
}

std::vector<std::string> Troupe::outcomes(std::size_t actor, const std::string& verb) const {
  std::vector<std::string> all;
  for (const auto& step : members_[actor]->report()) {
    if (step.step->name == verb) all.push_back(step.outcome);
  }
  return all;
}

int Troupe::status(std::size_t actor, std::size_t instance) const {
  const auto all = members_[actor]->endings();
  return instance < all.size() ? all[instance].status : -1;
}

std::string Troupe::output(std::size_t actor) const {
  const auto found = output_.find(actor);
  return found == output_.end() ? "" : found->second;
}

}  // namespace lab::test
