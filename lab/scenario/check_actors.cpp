#include <algorithm>
#include <map>

#include "scenario/actor.hpp"
#include "scenario/checks.hpp"
#include "scenario/names.hpp"
#include "scenario/network.hpp"

namespace lab::scenario {
namespace {

constexpr std::uint16_t kFirstPort = 8080;

const Node& name_node(const Node& actor) {
  const auto* name = actor.kind == Node::table ? actor.find("name") : nullptr;
  return name ? *name : actor;
}

void check_name(Reading& reading, const Node& node, const Actor& actor, std::map<std::string, const Actor*>& taken) {
  const auto role = value_of(kRoles, actor.name);
  if (is_reserved(actor.name)) {
    reading.about(node, "'" + actor.name + "' is a section of [expect]", "choose another name");
  } else if (role && *role != actor.role) {
    reading.about(node, "a " + std::string(name_of(actor.role)) + " can't be named '" + actor.name + "'");
  }
  const auto [at, fresh] = taken.try_emplace(actor.name, &actor);
  if (fresh) return;
  const auto line = at->second->place.line;
  reading.about(node,
                "a second actor named '" + actor.name + "'" +
                    (line ? " (the first is in line " + std::to_string(line) + ")" : ""),
                "give each a name of its own");
}

Endpoint default_endpoint(const Scenario& scenario, Role role) {
  const auto& network = scenario.network;
  if (role != Role::proxy || network.topology == Topology::loopback) {
    return {server_address(network.topology, network.family), kFirstPort};
  }
  return {router_address(network.family), kFirstPort};  // where clients see it
}

bool port_taken(const Scenario& scenario, std::uint16_t port) {
  return std::any_of(scenario.actors.begin(), scenario.actors.end(),
                     [&](const Actor& actor) { return actor.listen && actor.listen->port == port; });
}

bool reuses_port(const Actor& actor) {
  return std::any_of(actor.options.begin(), actor.options.end(),
                     [](const SocketOption& option) { return option.name == "reuseport" && option.number; });
}

// Programs bind as they like: for them `listen` only says what to wait for.
void check_shared_port(Reading& reading, const std::vector<const Node*>& nodes, const Scenario& scenario,
                       std::size_t i) {
  const auto& actor = scenario.actors[i];
  for (std::size_t j = 0; j < i; ++j) {
    const auto& other = scenario.actors[j];
    if (!other.listen || other.listen->host != actor.listen->host || other.listen->port != actor.listen->port) continue;
    if (!actor.run.empty() || !other.run.empty() || (reuses_port(actor) && reuses_port(other))) continue;
    const auto* listen = nodes[i]->find("listen");
    reading.about(listen ? *listen : *nodes[i], "'" + actor.name + "' listens where '" + other.name + "' does",
                  "another port, or options = { reuseport = 1 } for both");
    return;
  }
}

// Where a proxy's `connect` goes without an address: the first server.
void aim_proxies(Scenario& scenario) {
  auto target = default_endpoint(scenario, Role::server);
  const auto server = std::find_if(scenario.actors.begin(), scenario.actors.end(),
                                   [](const Actor& actor) { return actor.role == Role::server && actor.listen; });
  if (server != scenario.actors.end()) target = *server->listen;
  const auto aim = [&](auto& self, std::vector<Step>& steps) -> void {
    for (auto& step : steps) {
      if (step.verb == Verb::connect && !step.endpoint) step.endpoint = target;
      self(self, step.body);
    }
  };
  for (auto& actor : scenario.actors) {
    if (actor.role == Role::proxy) aim(aim, actor.steps);
  }
}

}  // namespace

void name_actors(Reading& reading, const std::vector<const Node*>& nodes, Scenario& scenario) {
  std::map<Role, std::size_t> of_role;
  for (const auto& actor : scenario.actors) ++of_role[actor.role];
  std::map<std::string, const Actor*> taken;
  for (std::size_t i = 0; i < scenario.actors.size(); ++i) {
    auto& actor = scenario.actors[i];
    const bool named = nodes[i]->kind == Node::table && nodes[i]->find("name");
    Within within(reading, name_of(actor.role));
    if (!named && of_role[actor.role] > 1) {
      reading.about(*nodes[i], "has no 'name', and there are several", "several of one role need a name each");
      continue;
    }
    if (!named) actor.name = name_of(actor.role);
    if (!actor.name.empty()) check_name(reading, name_node(*nodes[i]), actor, taken);
  }
}

void place_listeners(Reading& reading, const std::vector<const Node*>& nodes, Scenario& scenario) {
  // Servers first, so that the first of them has the port that clients expect.
  for (const auto role : {Role::server, Role::proxy}) {
    for (std::size_t i = 0; i < scenario.actors.size(); ++i) {
      auto& actor = scenario.actors[i];
      if (actor.role != role || nodes[i]->kind != Node::table || nodes[i]->find("listen")) continue;
      auto endpoint = default_endpoint(scenario, role);
      while (port_taken(scenario, endpoint.port)) ++endpoint.port;
      actor.listen = endpoint;
    }
  }
  for (std::size_t i = 0; i < scenario.actors.size(); ++i) {
    if (scenario.actors[i].listen) check_shared_port(reading, nodes, scenario, i);
  }
  aim_proxies(scenario);
}

}  // namespace lab::scenario
