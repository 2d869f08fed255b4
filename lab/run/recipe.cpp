#include "run/recipe.hpp"

#include <algorithm>

#include "sandbox/addresses.hpp"

namespace lab::run {

using scenario::Role;

scenario::Endpoint server_endpoint(const scenario::Scenario& scenario) {
  for (const auto role : {Role::proxy, Role::server})  // clients talk to the proxy, where there is one
    for (const auto& actor : scenario.actors)
      if (actor.role == role && actor.listen) return *actor.listen;
  return {.host = sandbox::ends(scenario.network.topology, scenario.network.family).server, .port = 8080};
}

firewall::Flow flow_of(const scenario::Scenario& scenario) {
  const auto server = server_endpoint(scenario);
  firewall::Flow flow{.family = scenario.network.family, .server_address = server.host, .server_port = server.port};
  // On loopback a client's address is the server's unless it binds another.
  const bool routed = scenario.network.topology == scenario::Topology::routed;
  flow.client_address = routed ? sandbox::ends(scenario.network.topology, scenario.network.family).client : server.host;
  return flow;
}

const sandbox::Netns& netns_of(const std::vector<sandbox::Netns>& all, Role role) {
  const char* name = role == Role::client ? "client" : role == Role::server ? "server" : "router";
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& ns) { return ns.name == name; });
  return at == all.end() ? all.front() : *at;
}

const sandbox::Netns& netns_of_rules(const std::vector<sandbox::Netns>& all) { return netns_of(all, Role::op); }

}  // namespace lab::run
