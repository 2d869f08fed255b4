// What rules and connection tracking did to packets.
#pragma once

#include <cstdint>
#include <string>

#include "evidence/address.hpp"

namespace lab::evidence {

// ---- nft-trace: one trace message, joined to its rule. No kernel timestamp: t_ns is when it was read.
struct TraceHit {
  std::string netns;
  std::string family, table, chain, hook;  // hook: "output", … ; chain's base hook where known
  std::uint64_t handle = 0;                // 0: the chain's end or its policy
  std::string name;                        // the rule's comment
  std::string text;                        // the rule as text
  std::string type;                        // "rule", "policy", "return"
  std::string verdict;                     // "drop", "accept", "continue", "jump", …; a reject reads "drop"
  std::string action;  // what the rule's last statement is: "drop", "reject", "accept", "dnat", …; "" unknown
  Address source, target;
  std::string flags;
  std::uint32_t seq = 0, ack = 0, length = 0;
  std::uint16_t ip_id = 0;
  std::uint32_t trace_id = 0;
  // The packet is an ICMP message: source and target are the quoted flow's where the kernel tells that much, else its
  // own.
  bool icmp = false;
  std::uint32_t mtu = 0;  // it says that a packet was too big for the next link, which takes this many bytes
  bool operator==(const TraceHit&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("family", family);
    a("table", table);
    a("chain", chain);
    a("hook", hook);
    a("handle", handle);
    a("name", name);
    a("text", text);
    a("type", type);
    a("verdict", verdict);
    a("action", action);
    a("src", source);
    a("dst", target);
    a("flags", flags);
    a("seq", seq);
    a("ack", ack);
    a("len", length);
    a("id", ip_id);
    a("trace", trace_id);
    a("icmp", icmp);
    a("mtu", mtu);
  }
};

// ---- rules: a rule's text and counter, read at the start and at the end ("when").
struct RuleState {
  std::string netns, family, table, chain, hook;
  std::uint64_t handle = 0;  // 0: a base chain's policy
  std::string name, text, action;
  std::string file;      // of the rule where a ruleset file is known, "FILE:LINE"
  bool counted = false;  // has a counter
  std::uint64_t packets = 0, bytes = 0;
  std::string when;  // "start", "end"
  bool operator==(const RuleState&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("family", family);
    a("table", table);
    a("chain", chain);
    a("hook", hook);
    a("handle", handle);
    a("name", name);
    a("text", text);
    a("action", action);
    a("file", file);
    a("counted", counted);
    a("packets", packets);
    a("bytes", bytes);
    a("when", when);
  }
};

// ---- conntrack: a flow's entry appeared, changed or went away.
struct Flow {
  std::string netns, kind;  // "new", "update", "destroy"
  Address original_source, original_target, reply_source, reply_target;
  std::string state;         // TCP state in conntrack's words
  std::uint32_t status = 0;  // IPS_* bits
  std::uint32_t mark = 0;
  std::uint32_t timeout_s = 0;
  bool operator==(const Flow&) const = default;
  template <class A>
  void fields(A& a) {
    a("netns", netns);
    a("event", kind);
    a("osrc", original_source);
    a("odst", original_target);
    a("rsrc", reply_source);
    a("rdst", reply_target);
    a("state", state);
    a("status", status);
    a("mark", mark);
    a("timeout", timeout_s);
  }
};

}  // namespace lab::evidence
