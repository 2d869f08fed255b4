#include "run/inside.hpp"

#include <unistd.h>

#include "run/cast.hpp"
#include "run/live.hpp"
#include "run/operator.hpp"
#include "run/orders.hpp"
#include "run/recipe.hpp"
#include "run/rulesets.hpp"
#include "run/stage.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"

namespace lab::run {

namespace {

using scenario::Role;

// How long attaching the kernel collector may take while init stays awake.
constexpr std::int64_t kAwake = 5'000'000;

// lab's kernel collector has to watch before the first actor does anything. A virtual CPU that slept meanwhile passes
// for one that its host has taken away (vcpu_is_preempted in available_idle_cpu, kernel/sched), and the client's first
// segment would wake the server on the client's own CPU: watching would shift races. With other runs beside it there is
// no such sleep.
void wait_for_go(Teller& teller, Orders& orders, bool alone) {
  teller.ready();
  teller.flush();
  if (orders.descriptor() < 0) return;
  if (alone) orders.stay_awake(sys::Deadline::after_ns(kAwake));
  orders.answer();
}

// A group is lab's to change, a link the sandbox's own: the server's, for what arrives there.
void attach(const std::string& what, const Setup& setup, const std::vector<sandbox::Netns>& namespaces, Teller& teller,
            Orders& orders) {
  if (what == "xdp-drop")
    return sandbox::inside(netns_of(namespaces, Role::server), [&] { attach_to_link(setup.programs->xdp); });
  teller.attach();
  teller.flush();
  if (const int error = orders.answer()) throw sys::KernelError(error, "attach " + what);
}

void tell_rules(const Rulesets& rules, Teller& teller) {
  for (const auto& held : rules.held())
    if (!held.helper)
      teller.rule(
          {.name = held.name, .text = held.text, .place = held.place, .packets = held.packets, .bytes = held.bytes});
}

void run(Setup& setup, Teller& teller) {
  const auto started = sys::now_ns();
  const auto namespaces = sandbox::furnish(setup.plan);
  Watchers watchers;
  Cast cast(setup, namespaces, teller, watchers);
  Stage::keep_child_signals();
  cast.fork_ahead();  // they confine themselves on another CPU while the collectors are opened here
  watchers.open(namespaces, *setup.options);
  Rulesets rules(*setup.scenario, namespaces);
  Orders orders(std::move(setup.go));
  LiveWire live;
  teller.show([&](const evidence::Event& event) { live.see(event); });
  Acts acts(*setup.scenario, namespaces, rules, watchers, live, teller);
  acts.meet(cast, [&](const std::string& what) { attach(what, setup, namespaces, teller, orders); });
  watchers.start(teller);  // nothing happens before the go, and lab may have to load its kernel collector meanwhile
  wait_for_go(teller, orders, setup.options->alone);

  const auto acting = sys::now_ns();
  Stage stage(*setup.scenario, teller, watchers, cast, &orders);
  const auto end = stage.perform();
  tell_rules(rules, teller);
  stage.clear();
  for (auto account : watchers.accounts()) {
    if (account.name == "nft-trace" && account.on && account.why.empty()) account.why = rules.left_out();
    teller.account(account);
  }
  for (const auto& account : cast.accounts()) teller.account(account);
  teller.times(started, acting, sys::now_ns(), end);
  teller.show({});
  teller.flush();  // lab judges while the collectors are closed
  if (setup.options->alone) rules.hurry();
}

Failure kind_of(const std::exception& error) {
  if (dynamic_cast<const Invalid*>(&error)) return Failure::invalid;
  if (dynamic_cast<const sys::Unavailable*>(&error)) return Failure::unavailable;
  return Failure::lab;
}

}  // namespace

int play(Setup& setup) {
  Teller teller(std::move(setup.records));
  try {
    run(setup, teller);
  } catch (const std::exception& error) {
    teller.failure(kind_of(error), error.what());
  }
  try {
    teller.flush();
  } catch (const std::exception&) {
    return 125;  // lab is gone: nobody is left to tell
  }
  return 0;
}

}  // namespace lab::run
