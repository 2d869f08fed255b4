// What keeps the sets that rules look flows up in: see compile.hpp for what they mean.
#pragma once

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "firewall/compiler.hpp"
#include "firewall/statement.hpp"

namespace lab::firewall {

// The flow as rules tell it: by the server's port and, unless that is a loopback or wildcard address, its address. On
// loopback the port is enough, and a server of both families is met by clients of either.
struct Way {
  explicit Way(const Flow& flow);
  std::vector<Statement> statements(scenario::Direction direction) const;

  Family family;
  std::uint16_t port;
  std::optional<IpAddress> server;
};

// What the table has already.
struct Inventory {
  std::set<std::string> chains, sets;
  unsigned next = 1;  // number of the next age- or excess- set

  void know_set(const std::string& name);
  std::string numbered(const char* kind);
};

// Adds to a program what one rule needs beside its own lines.
class Helpers {
 public:
  Helpers(const Way& way, Inventory& there, Program& program, const scenario::Rule& rule, std::size_t index)
      : way_(way), there_(there), program_(program), rule_(rule), index_(index) {}

  // The chain of the rule's hook, with its name.
  std::string chain() { return chain(rule_.hook, "", 0); }
  // Each returns the set to look the flow up in.
  std::string handshake();
  std::string age(scenario::Duration limit);
  // `negated`: the flows that are meant are those that are not in it.
  nft::Member excess(const scenario::Comparison& wanted);

 private:
  std::string opened_set() const;
  std::string chain(scenario::Hook hook, const char* suffix, int priority);
  void set(const std::string& name, std::uint64_t timeout_ms);
  void put(const std::string& in, scenario::Direction direction, std::vector<Statement> statements,
           const std::string& what, bool at_head = false);
  void put_change(std::vector<Statement>& statements, nft::Change change, const std::string& name) const;

  const Way& way_;
  Inventory& there_;
  Program& program_;
  const scenario::Rule& rule_;
  std::size_t index_;
};

}  // namespace lab::firewall
