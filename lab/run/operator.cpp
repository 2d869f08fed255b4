#include "run/operator.hpp"

#include <fmt/format.h>
#include <net/if.h>

#include "run/cast.hpp"
#include "run/recipe.hpp"
#include "system/error.hpp"

namespace lab::run {

using scenario::Role;
using scenario::Verb;

void Acts::meet(Cast& cast, std::function<void(const std::string&)> attach) {
  cast.serve(*this);
  cast_ = &cast;
  attach_ = std::move(attach);
}

void Acts::add_rules(const std::string& name) {
  const auto set = scenario_.firewall.library.find(name);
  if (set == scenario_.firewall.library.end()) throw sys::LabError("no rule file '" + name + "' was read");
  const auto& found = set->second;
  found.whole.empty() ? rules_.add(found.rules) : rules_.load(found.whole, found.path, 1);
}

void Acts::delete_rules(const std::string& name) {
  if (const auto set = scenario_.firewall.library.find(name); set != scenario_.firewall.library.end()) {
    for (const auto& rule : set->second.rules) rules_.remove(rule.name);
    return;
  }
  rules_.remove(name);
}

void Acts::freeze(const std::string& actor) { cast_->freeze(actor, true); }
void Acts::thaw(const std::string& actor) { cast_->freeze(actor, false); }
void Acts::kill(const std::string& actor, int signal) { cast_->signal(actor, signal); }

void Acts::attach(const std::string& what) {
  if (!attach_) throw sys::KernelError(EOPNOTSUPP, "attach " + what);
  attach_(what);
}

namespace {

bool has_device(const std::string& device) { return ::if_nametoindex(device.c_str()) != 0; }

bool names(const scenario::Step& step, const char* end) { return !step.words.empty() && step.words[0] == end; }

}  // namespace

// A step about an end happens in that end's namespace, addresses are the server's; one about a device, in the first
// that has it; the others where the rules are (the router, or loopback's one namespace).
void Acts::inside(const scenario::Step& step, const std::function<void()>& work) {
  if (namespaces_.size() == 1) return sandbox::inside(namespaces_[0], work);
  if (names(step, "client")) return sandbox::inside(netns_of(namespaces_, Role::client), work);
  if (names(step, "server") || step.verb == Verb::address)
    return sandbox::inside(netns_of(namespaces_, Role::server), work);
  if (step.verb == Verb::link)
    for (const auto& ns : namespaces_) {
      bool found = false;
      sandbox::inside(ns, [&] { found = has_device(step.words[0]); });
      if (found) return sandbox::inside(ns, work);
    }
  sandbox::inside(netns_of_rules(namespaces_), work);
}

std::optional<actors::LiveConnection> Acts::connection() {
  watchers_.drain(sink_);
  return live_.connection();
}

scenario::Endpoint Acts::server() { return server_endpoint(scenario_); }

// Notifications bear the time at which they are read.
void Acts::performed() {
  watchers_.drain(sink_);
  watchers_.look_soon();
}

}  // namespace lab::run
