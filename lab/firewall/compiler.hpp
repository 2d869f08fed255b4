// Typed faults to nftables: compiled with libnftnl, committed through libmnl in one atomic batch.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "scenario/types.hpp"

namespace lab::firewall {

// The flow that rules are about.
struct Flow {
  scenario::Family family = scenario::Family::ipv4;
  std::string server_address, client_address;  // numeric
  std::uint16_t server_port = 0;
};

// A rule as the kernel holds it.
struct Held {
  std::string name;  // the comment
  std::string family, table, chain, hook;
  std::uint64_t handle = 0;
  std::string text;     // nft syntax
  std::string action;   // "drop", "reject", "accept", "count"
  std::string place;    // "FILE:LINE" of the typed rule it came from
  bool helper = false;  // the compiler's own (marks, sets)
  std::uint64_t packets = 0, bytes = 0;
};

// The table that typed faults live in: family "inet", owner flag set (it dies with the socket that made it and
// survives another's `flush ruleset`).
inline constexpr const char* kTable = "lab";
// Begins the comment of every rule that is the lab's own and no fault; no rule of a file may have such a name.
inline constexpr const char* kHelper = "lab: ";

// What the rules become, in nft syntax, as `nft list ruleset` prints it back. Pure; used by `-n` and tests.
std::string to_nft(const std::vector<scenario::Rule>& rules, const Flow& flow, bool trace = true);

// What no kernel accepts (reject at postrouting, a payload too long, …): one message a rule, with its place.
struct Refusal {
  scenario::Place place;
  std::string message, hint;
};
std::vector<Refusal> refuse(const std::vector<scenario::Rule>& rules);

// The rules of one network namespace. The netlink socket that owns the table is held: keep this alive for the run.
class Ruleset {
 public:
  // Opens the netlink socket in the calling thread's network namespace.
  Ruleset(scenario::Family family, Flow flow);
  ~Ruleset();
  Ruleset(Ruleset&&) noexcept;
  // One atomic batch, every message acknowledged, extended acks on. Each rule has a counter, its name as comment and,
  // if it is a fault and `trace` is set, nftrace on what it matches: the trace begins with that rule's own verdict. A
  // rule may be two in the kernel, which exclude each other and have one name: their counters are to be summed. Throws
  // LabError that names the rule, its file and line and what the kernel said ("rules/x.toml:3: rule 'x': kernel:
  // Operation not supported (…)"), Unavailable where the kernel lacks an expression that it needs.
  void add(const std::vector<scenario::Rule>& rules, bool trace = true);
  // By name. Throws LabError when there is none.
  void remove(const std::string& name);
  // Every rule of the namespace, those of whole rulesets too (their text by libnftables where it can be loaded, else
  // ""). Texts are stateless ("counter" without its values).
  std::vector<Held> held() const;
  // The rules go with this object, after a grace period: nobody shall wait for it.
  void hurry();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lab::firewall
