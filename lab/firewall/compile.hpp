// Typed rules to statements. Pure: it knows the nft language's rules, and neither libnftnl nor the kernel.
//
// A chain of the lab's is named after its hook and sits at priority filter (0): behind conntrack (-200) and destination
// translation (-100), before source translation (100), so that both directions show the server's own port at every
// hook. What one statement can't say is kept in sets by helper rules in two more chains of the same hook, HOOK-before
// at priority -1 and HOOK-after at +1: an accept among the faults can't skip those.
//
//   handshake-HOOK  flows whose handshake is under way at this hook: filled by the SYN (and a SYN,ACK), emptied behind
//                   the faults by the handshake's last ACK, for the answers by the SYN,ACK. A flow that was there
//                   before the rule is in no such set, so that all of it counts as behind the handshake. No conntrack
//                   is needed: the first ct rule of a namespace changes what is measured.
//   opened-HOOK     flows whose handshake was over three seconds ago at most, until their client closes or their server
//                   aborts: a SYN of theirs is a repetition that comes by late. It begins nothing and renews no age.
//                   Flows of the same ports and other addresses share an element here as in all sets, and so do those
//                   whose predecessor ended unseen at this hook: within that time the rule meets their SYN, too.
//   age-N           flows younger than `after = { time }`: the first SYN's element times out.
//   excess-N        flows that were over the limit of `connections` when they began (connlimit counts a connection
//                   only where it is still unconfirmed, hence at the hook that its SYN meets first).
//
// Nothing is kept in packet or conntrack marks: those are the user's.
#pragma once

#include <string>
#include <vector>

#include "firewall/compiler.hpp"
#include "firewall/helpers.hpp"
#include "firewall/statement.hpp"

namespace lab::firewall {

class Compiler {
 public:
  Compiler(const Flow& flow, bool trace) : way_(flow), trace_(trace) {}

  // What is in the kernel already, when it isn't this compiler's own work.
  void know_chain(const std::string& name) { there_.chains.insert(name); }
  void know_set(const std::string& name) { there_.know_set(name); }

  // The rules' lines, with the chains and sets that are not there yet. The rules are such that refuse() has none of
  // them.
  Program compile(const std::vector<scenario::Rule>& rules);

 private:
  Way way_;
  bool trace_;
  Inventory there_;
};

}  // namespace lab::firewall
