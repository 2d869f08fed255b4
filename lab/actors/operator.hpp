// The operator: who changes the system while a connection lives. Its steps run in a child of init; what they do to the
// sandbox is done in init, on its request, because init holds the rules' table, the namespaces and the wire.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "scenario/types.hpp"

namespace lab::actors {

// The last connection of the run as the wire showed it. Sequence numbers are the next ones each end would send.
struct LiveConnection {
  scenario::Endpoint client, server;  // numeric
  std::uint32_t client_next = 0, server_next = 0;
  std::uint16_t window = 65535;  // for the header of what is injected
};

// What only run/ can do. Each throws KernelError (the step's outcome is its errno, its text goes to the output) or
// LabError (the lab's own failure). Called in init; must not wait for an actor.
class OperatorActs {
 public:
  virtual ~OperatorActs() = default;
  virtual void add_rules(const std::string& name) = 0;
  virtual void delete_rules(const std::string& name) = 0;
  virtual void freeze(const std::string& actor) = 0;
  virtual void thaw(const std::string& actor) = 0;
  virtual void attach(const std::string& what) = 0;  // "xdp-drop", "cgroup-drop"
  virtual void kill(const std::string& actor, int signal) = 0;
  // Runs `work` in the network namespace that the step is about: the named end's for destroy-sockets and inject-…, the
  // one that has DEVICE for link; address, route, ipsec, sysctl and flush-conntrack as run/ decides. Loopback: just
  // runs it.
  virtual void inside(const scenario::Step& step, const std::function<void()>& work) = 0;
  // The connection that inject-… is about, after what has reached the wire was taken in. Nothing: there is none.
  virtual std::optional<LiveConnection> connection() = 0;
  // Where the server is: destroy-sockets parts the ends by it.
  virtual scenario::Endpoint server() = 0;
  // A step was done, or refused; the operator does not know yet.
  virtual void performed() = 0;
};

// Does one of the operator's steps. Throws what the acts throw, and KernelError for what the kernel refused.
void perform(const scenario::Step& step, OperatorActs& acts);

// True for the verbs of the operator's row.
bool is_operators(scenario::Verb verb);

}  // namespace lab::actors
