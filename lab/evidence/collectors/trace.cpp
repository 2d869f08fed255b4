// The rule trace: which chain and rule a traced packet met, and the verdict (net/netfilter/nf_tables_trace.c).
#include <fmt/format.h>

#include <map>
#include <memory>
#include <utility>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/rulebook.hpp"
#include "evidence/collectors/trace_message.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/netlink.hpp"
#include "system/nftables/netfilter.hpp"

namespace lab::evidence {
namespace {

constexpr std::size_t kBuffer = 1024 * 1024;  // bytes: 10,000 traced packets a second need it
constexpr std::size_t kMost = 100'000;        // hits that are kept; the rest is counted as lost

class RuleTrace : public Source {
 public:
  explicit RuleTrace(std::string netns)
      : netns_(std::move(netns)),
        asking_(NETLINK_NETFILTER),
        listening_(NETLINK_NETFILTER, {NFNLGRP_NFTRACE, NFNLGRP_NFTABLES}) {
    listening_.receive_buffer(kBuffer);
  }

  std::vector<int> descriptors() const override { return {listening_.descriptor()}; }
  void drain(Sink&) override {
    lost_ += listening_.drain([&](const nlmsghdr& message) { see(message); });
  }
  // Hits wait for the end: only then is every rule's name known without asking for each.
  void finish(Sink& sink) override {
    drain(sink);
    book_.read(asking_);
    for (auto& kept : hits_) {
      join(kept);
      put(sink, kept.t_ns, std::move(kept.hit));
    }
    hits_.clear();
    for (auto& state : book_.states(netns_, "end")) put(sink, sys::now_ns(), std::move(state));
  }
  Collector account() const override {
    Collector account{.name = "nft-trace", .on = true, .why = "", .events = events_, .lost = lost_};
    if (skipped_) account.why = fmt::format("{} trace messages beyond the first {} were not kept", skipped_, kMost);
    return account;
  }

 private:
  // What a trace's id was last bound to. Ids are reused: each base chain's first message brings its headers anew.
  struct Packet {
    TraceHit headers;
    std::string base_chain;
  };

  struct Kept {
    std::int64_t t_ns;
    TraceHit hit;
    std::string base_chain;  // a jumped-to chain has no hook of its own
    bool joined = false;
  };

  void join(Kept& kept) const {
    if (std::exchange(kept.joined, true)) return;
    kept.hit.hook = book_.hook_of(kept.hit.family, kept.hit.table, kept.base_chain);
    book_.join(kept.hit);
  }

  void see(const nlmsghdr& message) {
    if (NFNL_SUBSYS_ID(message.nlmsg_type) != NFNL_SUBSYS_NFTABLES) return;
    const auto type = NFNL_MSG_TYPE(message.nlmsg_type);
    if (type == NFT_MSG_TRACE) return trace(message);
    if (type == NFT_MSG_DELRULE) settle(nft::rule_of(message));
    book_.see(message);
  }

  // A table that is loaded anew counts its handles from the beginning: whoever met this one met no later rule.
  void settle(const nft::KernelRule& gone) {
    for (auto& kept : hits_)
      if (kept.hit.handle == gone.handle && kept.hit.table == gone.table && kept.hit.family == gone.family) join(kept);
  }

  void trace(const nlmsghdr& message) {
    auto told = read_trace(message);
    if (!told) return;
    auto& packet = packets_[told->hit.trace_id];
    if (told->has_headers)
      packet = {.headers = told->hit, .base_chain = told->hit.chain};
    else
      take_headers(told->hit, packet.headers);
    told->hit.netns = netns_;
    keep(std::move(told->hit), packet.base_chain);
  }

  static void take_headers(TraceHit& hit, const TraceHit& from) {
    hit.icmp = from.icmp;
    hit.mtu = from.mtu;
    hit.source = from.source;
    hit.target = from.target;
    hit.flags = from.flags;
    hit.seq = from.seq;
    hit.ack = from.ack;
    hit.length = from.length;
    hit.ip_id = from.ip_id;
  }

  // A chain's end (type "rule", handle 0), a return and an accepting policy say nothing about a loss.
  void keep(TraceHit&& hit, const std::string& base_chain) {
    if (hit.table == nft::kTracingTable) return;
    if (hit.type == "return" || (hit.type == "rule" && !hit.handle) || (hit.type == "policy" && hit.verdict != "drop"))
      return;
    if (hits_.size() >= kMost) {
      ++skipped_;
      ++lost_;
      return;
    }
    hits_.push_back({sys::now_ns(), std::move(hit), base_chain});
  }

  template <class Seen>
  void put(Sink& sink, std::int64_t t_ns, Seen&& seen) {
    sink.put({.t_ns = t_ns, .read_time = true, .what = std::forward<Seen>(seen)});
    ++events_;
  }

  std::string netns_;
  sys::Netlink asking_, listening_;
  Rulebook book_;
  std::map<std::uint32_t, Packet> packets_;
  std::vector<Kept> hits_;
  std::uint64_t events_ = 0, lost_ = 0, skipped_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_trace(const std::string& netns) { return std::make_unique<RuleTrace>(netns); }

}  // namespace lab::evidence
