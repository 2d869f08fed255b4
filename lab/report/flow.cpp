#include "report/flow.hpp"

namespace lab::report {

using evidence::Address;

FlowFilter::FlowFilter(const evidence::Timeline& timeline, const verdict::Connection& connection, bool alone)
    : clients_{connection.client}, servers_{connection.server}, alone_(alone) {
  for (const auto& event : timeline.events) {
    if (const auto* flow = std::get_if<evidence::Flow>(&event.what)) learn(*flow);
  }
  for (const auto& event : timeline.events) {
    if (const auto* step = std::get_if<evidence::StepDone>(&event.what)) {
      learn(step->pid, step->tid, socket(step->local, step->peer));
      if (step->role == "client") roles_.try_emplace(step->pid, Side::client);
      if (step->role == "server") roles_.try_emplace(step->pid, Side::server);
    } else if (const auto* call = std::get_if<evidence::Call>(&event.what)) {
      learn(call->pid, call->tid, socket(call->local, call->peer));
    } else if (const auto* start = std::get_if<evidence::ProcessStart>(&event.what)) {
      if (start->role == "client") roles_[start->pid] = Side::client;
      if (start->role == "server") roles_[start->pid] = Side::server;
    }
  }
}

// Either end may have been translated: the reply's addresses are those that the other side knows.
void FlowFilter::learn(const evidence::Flow& flow) {
  const bool ours = clients_.contains(flow.original_source) || clients_.contains(flow.reply_target);
  const bool same = servers_.contains(flow.original_target) || servers_.contains(flow.reply_source);
  if (!ours || !same) return;
  for (const auto& address : {flow.original_source, flow.reply_target}) {
    if (address.known()) clients_.insert(address);
  }
  for (const auto& address : {flow.original_target, flow.reply_source}) {
    if (address.known()) servers_.insert(address);
  }
}

void FlowFilter::learn(int pid, int tid, Side side) {
  if (side == Side::none) return;
  tasks_.try_emplace({pid, tid}, side);
  pids_.try_emplace(pid, side);
}

Side FlowFilter::sender(const Address& source, const Address& target) const {
  if (clients_.contains(source) && servers_.contains(target)) return Side::client;
  if (servers_.contains(source) && clients_.contains(target)) return Side::server;
  return Side::none;
}

Side FlowFilter::socket(const Address& local, const Address& peer) const {
  if (const auto side = sender(local, peer); side != Side::none) return side;
  if (!peer.known() && clients_.contains(local)) return Side::client;
  if (!local.known() && clients_.contains(peer)) return Side::server;
  return Side::none;
}

Side FlowFilter::task(int pid, int tid) const {
  if (const auto at = tasks_.find({pid, tid}); at != tasks_.end()) return at->second;
  if (const auto at = pids_.find(pid); at != pids_.end() && (alone_ || tid == pid || tid == 0)) return at->second;
  if (!alone_) return Side::none;
  const auto at = roles_.find(pid);
  return at == roles_.end() ? Side::none : at->second;
}

}  // namespace lab::report
