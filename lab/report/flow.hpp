// Which events belong to one connection, and to which end of it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "evidence/event.hpp"
#include "verdict/verdict.hpp"

namespace lab::report {

enum class Side { none, client, server };

class FlowFilter {
 public:
  // `alone`: it is the run's only connection, so that what names no address is about it too.
  FlowFilter(const evidence::Timeline& timeline, const verdict::Connection& connection, bool alone);

  // The sender of a packet of this connection; translated addresses are known from conntrack.
  Side sender(const evidence::Address& source, const evidence::Address& target) const;
  // The end that a socket with these addresses is.
  Side socket(const evidence::Address& local, const evidence::Address& peer) const;
  // The end that this task worked for.
  Side task(int pid, int tid) const;
  bool alone() const { return alone_; }

 private:
  void learn(const evidence::Flow& flow);
  void learn(int pid, int tid, Side side);
  std::set<evidence::Address> clients_, servers_;
  std::map<std::pair<int, int>, Side> tasks_;  // pid, tid
  std::map<int, Side> pids_, roles_;           // roles_: by the label of the process, for what names no address
  bool alone_;
};

}  // namespace lab::report
