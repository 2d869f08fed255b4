// What rules are made of between the typed rule and the kernel: statements of the nft language, one type each.
// text.cpp prints them, bytecode.cpp turns them into expressions; neither knows scenario rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "firewall/ip_address.hpp"
#include "scenario/types.hpp"

namespace lab::firewall {

using Operator = scenario::Comparison::Op;
using scenario::Family;

enum class Side { source, target };

namespace nft {

struct Address {
  Side side;
  IpAddress address;
};  // ip daddr 10.0.0.2
struct Port {
  Side side;
  std::uint16_t port;
};  // tcp dport 8080
// Segments of the flow in both directions, in one rule: an anonymous set of ranges.
struct Either {
  std::uint16_t port;
  std::optional<IpAddress> address;
  // The kernel takes no range whose end lies in another one: here that is one with the server's port at both ends.
  std::uint16_t last_client_port() const { return !address && port == 65535 ? 65534 : 65535; }
};
struct Flags {
  std::uint8_t mask, value;
  bool negated;
};  // tcp flags syn / syn,ack
struct State {
  std::uint32_t bits;
  bool negated;
};  // ct state new,established
struct ConntrackDirection {
  bool reply;
};                       // ct direction original
struct ConntrackCount {  // ct original packets > 2
  bool bytes;
  std::optional<bool> reply;  // nothing: the sum of both directions
  Operator op;
  std::uint64_t value;
};
struct Length {
  Operator op;
  std::uint32_t value;
};  // meta length > 1000
struct Mark {
  bool conntrack;
  std::uint32_t value;
  bool negated;
};
struct Payload {
  std::string bytes;
  bool negated;
};             // @ih,0,32 0x47455420
struct Icmp {  // icmp type destination-unreachable icmp code frag-needed
  Family family;
  std::uint8_t type;
  std::optional<std::uint8_t> code;
  bool type_negated, code_negated;
};
// The segment that an ICMP error quotes: its protocol and one of its ports (@th, because nft has no names for them).
struct Quoted {
  Family family;
  Side side;
  std::uint16_t port;
};
// tcp sport . tcp dport @set: every set of the lab's is keyed like this, as the packet has it.
struct Member {
  std::string set;
  bool negated;
};
enum class Change { add, update, remove };
// update @set { tcp sport . tcp dport }; `reversed`: the key of the answers.
struct Remember {
  Change change;
  std::string set;
  bool reversed;
};
struct Connections {
  std::uint32_t count;
  bool over;
};  // ct count over 2
struct Limit {
  std::uint64_t count, unit_s;
  bool over;
};  // limit rate over 10/second
struct Every {
  std::uint32_t modulus, value;
  bool negated;
};               // numgen inc mod 3 2
struct Chance {  // numgen random mod 1000000 < 250000
  std::uint32_t modulus, below;
  bool negated;
  // nft takes no bound outside of the generator's range: certainty is "at most the largest".
  bool certain() const { return below >= modulus; }
  Operator op() const {
    if (certain()) return negated ? Operator::more : Operator::at_most;
    return negated ? Operator::at_least : Operator::less;
  }
  std::uint32_t bound() const { return certain() ? modulus - 1 : below; }
};
struct Trace {};  // meta nftrace set 1
struct Counter {};
struct Verdict {
  bool accept;
};
// NFT_REJECT_… with its code: of ICMP in a rule that is about one family, else NFT_REJECT_ICMPX_…
struct Reject {
  std::uint32_t type;
  std::uint8_t code;
  std::optional<Family> family;
};

}  // namespace nft

using Statement = std::variant<nft::Address, nft::Port, nft::Either, nft::Flags, nft::State, nft::ConntrackDirection,
                               nft::ConntrackCount, nft::Length, nft::Mark, nft::Payload, nft::Icmp, nft::Quoted,
                               nft::Member, nft::Remember, nft::Connections, nft::Limit, nft::Every, nft::Chance,
                               nft::Trace, nft::Counter, nft::Verdict, nft::Reject>;

// A rule in the kernel's sense.
struct Line {
  std::string chain;
  std::vector<Statement> statements;
  std::string comment;
  bool helper = false;   // the compiler's own
  bool at_head = false;  // goes before the chain's other rules
  std::size_t rule = 0;  // which of the compiled rules it belongs to
};

struct Chain {
  std::string name;
  scenario::Hook hook = scenario::Hook::output;
  int priority = 0;
};

// A dynamic set of flows, keyed `tcp sport . tcp dport`.
struct Set {
  std::string name;
  std::uint64_t timeout_ms = 0;  // 0: elements stay
};

struct Program {
  std::vector<Set> sets;
  std::vector<Chain> chains;
  std::vector<Line> lines;
};

}  // namespace lab::firewall
