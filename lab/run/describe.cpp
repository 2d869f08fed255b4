#include <fmt/format.h>
#include <fmt/ranges.h>

#include "firewall/compiler.hpp"
#include "run/recipe.hpp"
#include "run/run.hpp"

namespace lab::run {

using scenario::Actor;
using scenario::Scenario;

namespace {

void describe_network(const Scenario& scenario, std::string& out) {
  const auto& network = scenario.network;
  const bool routed = network.topology == scenario::Topology::routed;
  out += fmt::format("sandbox: user, net, pid, mount, ipc and uts namespaces; {}, {}\n",
                     scenario::name_of(network.family), routed ? "client, router and server namespaces" : "loopback");
  if (network.mtu) out += fmt::format("  mtu {}, offloads off\n", *network.mtu);
  for (const auto& [key, value, place] : network.sysctl) out += fmt::format("  sysctl {} = {}\n", key, value);
}

void describe_limits(const Actor& actor, std::string& out) {
  const auto line = [&](const char* name, const auto& value) {
    if (value) out += fmt::format("  limit {} = {}\n", name, *value);
  };
  line("nofile", actor.limits.nofile);
  line("nproc", actor.limits.nproc);
  line("as", actor.limits.as);
  line("fsize", actor.limits.fsize);
  if (actor.limits.cpu) out += fmt::format("  limit cpu = {}s\n", actor.limits.cpu->count() / 1'000'000'000);
  line("cgroup memory", actor.cgroup.memory);
  line("cgroup pids", actor.cgroup.pids);
  line("cgroup cpu", actor.cgroup.cpu);
}

std::string to_text(const scenario::Endpoint& at) {
  const bool v6 = at.host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", at.host, at.port) : fmt::format("{}:{}", at.host, at.port);
}

void describe_actor(const Actor& actor, std::string& out) {
  const auto role = scenario::name_of(actor.role);
  out += actor.name == role ? fmt::format("{}", role) : fmt::format("{} '{}'", role, actor.name);
  if (actor.listen) out += fmt::format(", listens on {}, backlog {}", to_text(*actor.listen), actor.backlog);
  if (actor.parallel > 1) out += fmt::format(", {} at once", actor.parallel);
  if (!actor.repeat)
    out += ", again and again";
  else if (*actor.repeat != 1)
    out += fmt::format(", {} times", *actor.repeat);
  out += '\n';
  for (const auto& option : actor.options)
    out +=
        fmt::format("  option {} {}\n", option.name, option.text.empty() ? std::to_string(option.number) : option.text);
  describe_limits(actor, out);
  if (actor.seccomp)
    for (const auto& rule : actor.seccomp->rules) out += fmt::format("  seccomp {}\n", rule.source);
  if (!actor.run.empty()) out += fmt::format("  runs {}\n", fmt::join(actor.run, " "));
  for (const auto& step : actor.steps) out += fmt::format("  {}\n", step.source);
}

void describe_rules(const Scenario& scenario, std::string& out) {
  if (!scenario.firewall.ruleset.empty())
    out += fmt::format("whole ruleset {}:\n{}\n", scenario.firewall.ruleset_file, scenario.firewall.ruleset);
  if (!scenario.firewall.rules.empty())
    out += "rules:\n" + firewall::to_nft(scenario.firewall.rules, flow_of(scenario));
}

}  // namespace

std::string describe(const Scenario& scenario) {
  std::string out = fmt::format("{}: {}\n", scenario.name, scenario.summary);
  describe_network(scenario, out);
  describe_rules(scenario, out);
  for (const auto& actor : scenario.actors) describe_actor(actor, out);
  out += fmt::format("deadline {} ms, grace {} ms\n", scenario.timeout.count() / 1'000'000,
                     scenario.grace.count() / 1'000'000);
  return out;
}

}  // namespace lab::run
