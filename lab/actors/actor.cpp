#include "actors/actor.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "actors/child.hpp"
#include "actors/operator.hpp"
#include "actors/program.hpp"
#include "system/error.hpp"
#include "system/exempt.hpp"
#include "system/process.hpp"

namespace lab::actors {
namespace {

constexpr std::uint32_t kMostProcesses = 64;

struct Group {  // one process of the actor
  Casting casting;
  pid_t pid = 0;
  bool ended = false;
  int status = 0;
  std::optional<Stream> output, error;
};

Context absolute(Context context) {
  if (!context.folder.empty()) context.folder = std::filesystem::absolute(context.folder).string();
  return context;
}

bool is_client(const scenario::Actor& actor) { return actor.role == scenario::Role::client; }

// One process, with a thread for each instance?
bool one_process(const scenario::Actor& actor) {
  if (!actor.run.empty()) return false;
  return !is_client(actor) || (actor.parallel > kMostProcesses && threads_will_do(actor));
}

}  // namespace

struct Actor::State {
  State(const scenario::Actor& actor, Context given)
      : what(&actor),
        context(absolute(std::move(given))),
        instances(std::max(1U, actor.parallel)),
        plan(plan_of(actor, context)),
        records(instances, static_cast<std::uint32_t>(plan.ops.size()), actor.repeat),
        buffer(Mapping::Kind::own, plan.buffer, "receive buffer of an actor"),
        command(command_of(actor.run, actor, context)),
        environment(environment_of(actor, context)),
        command_pointers(pointers_to(command)),
        environment_pointers(pointers_to(environment)),
        event(sys::check(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "eventfd of an actor")) {
    sys::exempt_token();  // drawn before the first fork
    if (!plan.pattern) return;
    pattern = Mapping(Mapping::Kind::own, plan.buffer, "send buffer of an actor");
    std::memset(pattern.data(), 'x', pattern.size());
  }

  bool of_steps() const { return what->run.empty(); }
  void start(const Casting& casting, const Prepare& prepare);
  void fork(const Prepare& prepare);
  void serve_request(const std::function<void(std::uint32_t, bool, std::string)>& output);
  Group* find(pid_t pid) {
    const auto found =
        std::find_if(groups.begin(), groups.end(), [pid](const Group& group) { return group.pid == pid; });
    return found == groups.end() ? nullptr : &*found;
  }
  Reported reported(std::uint32_t instance, const StepRecord& record, const scenario::Step& step) const;
  void report_pseudo(std::vector<Reported>& all, std::uint32_t instance) const;

  const scenario::Actor* what;
  Context context;
  std::uint32_t instances;
  Plan plan;
  Records records;
  Mapping buffer, pattern;
  std::vector<std::string> command, environment;
  std::vector<char*> command_pointers, environment_pointers;
  sys::Descriptor event;
  std::vector<Group> groups;
  bool ahead = false;  // forked before its start
  OperatorActs* acts = nullptr;
  // What Reported::step points at for pseudo-steps.
  scenario::Step listen{.verb = scenario::Verb::accept, .source = "listen", .name = "listen"};
  scenario::Step spawn{.verb = scenario::Verb::start_thread, .source = "start-thread", .name = "start-thread"};
};

Actor::Actor(const scenario::Actor& what, Context context)
    : state_(std::make_unique<State>(what, std::move(context))) {}
Actor::Actor(const scenario::Actor& what, const scenario::Endpoint& server) : Actor(what, Context{.server = server}) {}
Actor::~Actor() = default;
Actor::Actor(Actor&&) noexcept = default;

const scenario::Actor& Actor::what() const { return *state_->what; }
void Actor::serve(OperatorActs& acts) { state_->acts = &acts; }

void Actor::State::start(const Casting& casting, const Prepare& prepare) {
  Group group{.casting = casting};
  sys::Pipe output, error;
  if (!of_steps() || plan.output) {
    output = sys::make_pipe();
    error = sys::make_pipe();
    group.casting.output = output.write.get();
    group.casting.error = error.write.get();
    group.output.emplace(std::move(output.read));
    group.error.emplace(std::move(error.read));
  }
  group.pid = sys::check(::fork(), "fork " + what->name);
  if (group.pid == 0) {
    play({.actor = *what,
          .context = context,
          .plan = plan,
          .records = records,
          .command = command_pointers,
          .environment = environment_pointers,
          .buffer = buffer.data(),
          .pattern = pattern.data(),
          .event = event.get()},
         group.casting, prepare);
  }
  groups.push_back(std::move(group));
}

void Actor::State::fork(const Prepare& prepare) {
  if (one_process(*what)) {
    const bool client = is_client(*what);
    start({.count = instances, .ahead = ahead, .together = client, .close_at_end = client}, prepare);
    return;
  }
  const bool together = of_steps() && instances > 1;
  for (std::uint32_t i = 0; i < instances; ++i) start({.first = i, .ahead = ahead, .together = together}, prepare);
}

void Actor::fork_ahead(const Prepare& prepare) {
  if (std::exchange(state_->ahead, true)) return;
  state_->fork(prepare);
}

std::vector<pid_t> Actor::start(const Prepare& prepare) {
  auto& s = *state_;
  if (s.ahead) {
    auto& started = s.records.front().started;
    started.store(1, std::memory_order_release);
    futex_wake_all(started);
  } else {
    s.fork(prepare);
  }
  std::vector<pid_t> pids;
  for (const auto& group : s.groups) pids.push_back(group.pid);
  return pids;
}

std::vector<int> Actor::descriptors() const {
  std::vector<int> all{state_->event.get()};
  for (const auto& group : state_->groups) {
    for (const auto* stream : {&group.output, &group.error}) {
      if (*stream && (*stream)->descriptor() >= 0) all.push_back((*stream)->descriptor());
    }
  }
  return all;
}

void Actor::drain(const std::function<void(std::uint32_t, bool, std::string)>& output) {
  auto& s = *state_;
  std::uint64_t ignored = 0;
  if (::read(s.event.get(), &ignored, sizeof ignored) < 0 && errno != EAGAIN) sys::check(-1, "eventfd of an actor");
  for (auto& group : s.groups) {
    for (const bool error : {false, true}) {
      auto& stream = error ? group.error : group.output;
      if (!stream) continue;
      const auto take = [&](std::string text) { output(group.casting.first, error, std::move(text)); };
      group.ended ? stream->finish(take) : stream->drain(take);
    }
  }
  s.serve_request(output);
}

void Actor::State::serve_request(const std::function<void(std::uint32_t, bool, std::string)>& output) {
  auto& request = records.front().request;
  if (!acts || request.state.load(std::memory_order_acquire) != Request::asked) return;
  const auto& step = *plan.ops.at(request.index).step;
  request.error = 0;
  try {
    perform(step, *acts);
  } catch (const sys::KernelError& refused) {
    request.error = refused.code().value();
    output(0, true, step.source + ": " + refused.what());
  } catch (const std::exception& failure) {
    request.error = ENOTSUP;
    records.fail(Failed::lab, what->name + ": " + step.source + ": " + failure.what());
  }
  acts->performed();
  request.state.store(Request::answered, std::memory_order_release);
  futex_wake_all(request.state);
}

bool Actor::ready() const {
  const auto& s = *state_;
  if (!s.of_steps() || !s.what->listen) return true;
  return s.records.front().listening.load(std::memory_order_acquire) != 0 || (!s.groups.empty() && all_ended());
}

std::string Actor::failure() const { return state_->records.failure(); }
bool Actor::failure_of_program() const { return state_->records.failed() == Failed::program; }
bool Actor::owns(pid_t pid) const { return state_->find(pid) != nullptr; }

std::uint32_t Actor::instance_of(pid_t pid) const {
  const auto* group = state_->find(pid);
  return group ? group->casting.first : 0;
}

// Whoever died before the start together must not keep the others waiting.
void Actor::ended(pid_t pid, int status) {
  auto* group = state_->find(pid);
  if (!group) return;
  group->ended = true;
  group->status = status;
  if (!group->casting.together) return;
  for (std::uint32_t i = 0; i < group->casting.count; ++i) state_->records.arrive(group->casting.first + i);
}

bool Actor::all_ended() const {
  return std::all_of(state_->groups.begin(), state_->groups.end(), [](const Group& group) { return group.ended; });
}

std::vector<Ended> Actor::endings() const {
  std::vector<Ended> all;
  for (const auto& group : state_->groups) {
    if (group.ended) all.push_back({group.pid, group.status});
  }
  return all;
}

Reported Actor::State::reported(std::uint32_t instance, const StepRecord& record, const scenario::Step& step) const {
  static constexpr const char* kVia[] = {"", "socket", "setsockopt", "bind", "listen", "clone3", "openat", "write"};
  Reported one;
  one.step = &step;
  one.instance = instance;
  one.record = record;
  one.call = record.via == Via::verb ? call_of(step.verb) : kVia[static_cast<std::size_t>(record.via)];
  one.outcome = text_of(record);
  return one;
}

void Actor::State::report_pseudo(std::vector<Reported>& all, std::uint32_t instance) const {
  const auto& front = records.instance(instance);
  for (const bool of_listen : {true, false}) {
    const auto& record = of_listen ? front.listen : front.spawn;
    if (!record.outcome) continue;
    all.push_back(reported(instance, record, of_listen ? listen : spawn));
    all.back().pseudo = true;
  }
}

std::vector<Reported> Actor::report() const {
  const auto& s = *state_;
  std::vector<Reported> all;
  for (std::uint32_t instance = 0; instance < s.instances; ++instance) {
    s.report_pseudo(all, instance);
    auto turns = s.records.kept_turns(instance);
    if (turns.empty()) turns.push_back(0);
    for (const auto turn : turns) {
      for (std::uint32_t index = 0; index < s.plan.ops.size(); ++index) {
        const auto* kept = s.records.at(instance, turn, index);
        StepRecord record = kept ? *kept : StepRecord{};
        record.index = index;
        record.turn = static_cast<std::uint32_t>(turn);
        all.push_back(s.reported(instance, record, *s.plan.ops[index].step));
      }
    }
  }
  return all;
}

std::vector<Tally> Actor::tallies() const {
  auto all = state_->records.tallies();
  for (auto& tally : all) tally.step = state_->plan.ops.at(tally.index).step;
  return all;
}

}  // namespace lab::actors
