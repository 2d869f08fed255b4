#include "scenario/actor.hpp"

#include <algorithm>

#include "scenario/actor_parts.hpp"
#include "scenario/kinds.hpp"
#include "scenario/seccomp.hpp"
#include "scenario/step.hpp"
#include "scenario/verbs.hpp"

namespace lab::scenario {
namespace {

// ---- steps or a program

constexpr Shape kStep{.what = "a step", .pattern_of = &step_pattern};
constexpr Shape kSteps{.what = "a list of steps", .kinds = Node::array, .item = &kStep};

void read_steps(Reading& reading, const Node& node, Actor& actor) {
  if (!fits(reading, node, kSteps)) return;
  StepReading steps{actor.role, reading.family, reading.mistakes};
  for (const auto& item : node.items) {
    if (!fits(reading, item, kStep)) continue;
    const Locate locate = [&](std::size_t offset) { return item.place_in(offset); };
    if (auto step = read_step(item.text, locate, steps)) actor.steps.push_back(std::move(*step));
  }
  if (flattened(actor.steps).size() > kMostSteps) {
    reading.about(node, "more than " + std::to_string(kMostSteps) + " steps");
  }
}

constexpr Shape kRun{
    .what = "a program and its arguments as a list of texts", .kinds = Node::array, .item = &Text::shape};

void read_run(Reading& reading, const Node& node, Actor& actor) {
  const auto hint = node.kind == Node::string ? "a list of words: run = [\"python3\", \"server.py\"]" : "";
  if (node.kind != Node::array || node.items.empty()) return reading.wrong(node, described(kRun), hint);
  auto words = TextList::read(reading, node);
  if (!words) return;
  if (words->front().empty()) return reading.wrong(node.items.front(), "a program");
  actor.run = std::move(*words);
}

constexpr Shape kEnv{.what = "a table of texts", .kinds = Node::table, .others = &Text::shape};

void read_env(Reading& reading, const Node& node, Actor& actor) {
  if (!fits(reading, node, kEnv)) return;
  for (const auto& member : node.members) {
    Within within(reading, member.key);
    if (member.key.empty() || member.key.find('=') != member.key.npos || member.key.find('\0') != member.key.npos) {
      reading.mistake(member.place(), reading.path + ": expected a variable's name without '='");
    }
    if (auto text = Text::read(reading, member.value)) actor.env[member.key] = std::move(*text);
  }
}

// ---- listening

constexpr Shape kListen{.what = "an address and a port such as \"127.0.0.1:8080\" or \"[::1]:8080\", or \"none\""};

void read_listen(Reading& reading, const Node& node, Actor& actor) {
  if (!fits(reading, node, kListen)) return;
  if (node.text == "none") return;
  actor.listen = parse_endpoint(node.text, reading.family);
  if (!actor.listen) reading.wrong(node, described(kListen));
}

constexpr Named<bool> kReady[] = {{"listening", true}, {"none", false}};

// ---- how many

constexpr std::string_view kForever[] = {"forever"};
constexpr Shape kRepeat{.what = "a number from 1 to 1000000, or \"forever\"",
                        .kinds = Node::string | Node::integer,
                        .names = kForever,
                        .least = 1,
                        .most = kMostRepeats};

void read_repeat(Reading& reading, const Node& node, Actor& actor) {
  if (!fits(reading, node, kRepeat)) return;
  actor.repeat = std::nullopt;
  if (node.kind == Node::integer) actor.repeat = static_cast<std::uint64_t>(node.number);
}

using Parallel = Whole<1, kMostParallel>;
using Backlog = Whole<0, 65535>;

void read_filter(Reading& reading, const Node& node, Actor& actor) { read_seccomp(reading, node, actor.seccomp); }

constexpr Key<Actor> kKeys[] = {
    key<Name, &Actor::name>("name", "what [expect] and the operator call it (default: the role's name)"),
    special<Actor>("listen", kListen, read_listen, "where it listens; \"none\" for no listener", kListeners),
    key<Backlog, &Actor::backlog>("backlog", "of listen(2) (default 16)", kListeners),
    special<Actor>("options", kOptions, read_options, "socket options, set before listen or connect", kTalkers),
    special<Actor>("steps", kSteps, read_steps, "what it does; or else `run`"),
    special<Actor>("run", kRun, read_run, "a program, started in this file's folder; or else `steps`"),
    special<Actor>("env", kEnv, read_env, "its environment, beside LAB_HOST, LAB_PORT and LAB_ROLE"),
    key<OneOf<kReady>, &Actor::wait_ready>("ready", "what clients wait for (default listening)", kListeners),
    key<Parallel, &Actor::parallel>("parallel", "this many at once (default 1)", kTalkers),
    special<Actor>("repeat", kRepeat, read_repeat, "each runs its steps this many times (default 1), or \"forever\""),
    special<Actor>("limits", kLimits, read_limits, "resource limits, counted from its start", kTalkers),
    special<Actor>("cgroup", kCgroup, read_cgroup, "of a cgroup of its own (root only)", kTalkers),
    special<Actor>("seccomp", kSeccomp, read_filter, "a filter on its system calls", kTalkers),
};

void check_either(Reading& reading, const Node& node) {
  const auto *steps = node.find("steps"), *run = node.find("run");
  if (steps && run) {
    reading.about(*run, "'run' can't stand beside 'steps'", "an actor is either steps or a program");
  } else if (!steps && !run) {
    reading.about(node, "has neither 'steps' nor 'run'", "an actor is either steps or a program");
  }
}

// Keys that mean nothing to the other kind of actor.
void check_kind(Reading& reading, const Node& node) {
  if (node.find("steps") && !node.find("run") && node.find("env")) {
    reading.about(*node.find("env"), "'env' is for programs, and this actor has steps");
  }
  if (node.find("run") && !node.find("steps") && node.find("options")) {
    reading.about(*node.find("options"), "'options' are for steps; a program sets its own");
  }
}

constexpr std::string_view kReserved[] = {"cause", "wire", "rules", "counters"};

}  // namespace

bool is_reserved(std::string_view name) {
  return std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

void read_actor(Reading& reading, const Node& node, Actor& actor) {
  actor.place = node.place();
  read_table<Actor>(reading, node, kKeys, actor, bit(actor.role));
  if (node.kind != Node::table) return;
  check_either(reading, node);
  check_kind(reading, node);
}

std::span<const Property> actor_properties() { return properties<kKeys>(); }

}  // namespace lab::scenario
