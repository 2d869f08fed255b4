// The rule trace: which chain and rule a traced packet met, and the verdict (net/netfilter/nf_tables_trace.c).
#include <fmt/format.h>
#include <libnftnl/trace.h>

#include <map>
#include <memory>

#include "evidence/collectors/collector.hpp"
#include "evidence/collectors/packet.hpp"
#include "evidence/collectors/rulebook.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/netlink.hpp"
#include "system/nftables/netfilter.hpp"

namespace lab::evidence {
namespace {

constexpr std::size_t kBuffer = 1024 * 1024;   // bytes: 10,000 traced packets a second need it
constexpr std::size_t kMost = 100'000;         // hits that are kept; the rest is counted as lost

using Trace = std::unique_ptr<nftnl_trace, void (*)(const nftnl_trace*)>;

std::string text(const nftnl_trace* trace, std::uint16_t attribute) {
  const char* value = nftnl_trace_is_set(trace, attribute) ? nftnl_trace_get_str(trace, attribute) : nullptr;
  return value ? value : "";
}
std::uint32_t number(const nftnl_trace* trace, std::uint16_t attribute) {
  return nftnl_trace_is_set(trace, attribute) ? nftnl_trace_get_u32(trace, attribute) : 0;
}
std::string_view bytes(const nftnl_trace* trace, std::uint16_t attribute) {
  std::uint32_t length = 0;
  const auto* data = nftnl_trace_is_set(trace, attribute) ? nftnl_trace_get_data(trace, attribute, &length) : nullptr;
  return {static_cast<const char*>(data), data ? length : 0};
}

// The network header comes with 20 bytes of what follows it; the transport header's 20 bytes replace those.
std::string packet_of(const nftnl_trace* trace) {
  const auto network = bytes(trace, NFTNL_TRACE_NETWORK_HEADER);
  const auto transport = bytes(trace, NFTNL_TRACE_TRANSPORT_HEADER);
  if (network.empty() || transport.empty()) return "";
  const auto first = static_cast<unsigned char>(network[0]);
  const std::size_t header = first >> 4 == 4 ? (first & 15U) * 4U : 40;
  return std::string(network.substr(0, header)).append(transport);
}

bool is_icmp(std::string_view packet) {
  const auto first = packet.empty() ? 0 : static_cast<unsigned char>(packet[0]);
  if (first >> 4 == 4) return packet.size() > 9 && packet[9] == IPPROTO_ICMP;
  return packet.size() > 6 && packet[6] == IPPROTO_ICMPV6;
}

const char* verdict_name(std::uint32_t verdict) {
  switch (static_cast<int>(verdict)) {
    case NF_DROP: return "drop";
    case NF_ACCEPT: return "accept";
    case NF_QUEUE: return "queue";
    case NF_STOLEN: return "stolen";
    case NFT_CONTINUE: return "continue";
    case NFT_BREAK: return "break";
    case NFT_JUMP: return "jump";
    case NFT_GOTO: return "goto";
    case NFT_RETURN: return "return";
    default: return "";
  }
}

const char* type_name(std::uint32_t type) {
  switch (type) {
    case NFT_TRACETYPE_RULE: return "rule";
    case NFT_TRACETYPE_POLICY: return "policy";
    case NFT_TRACETYPE_RETURN: return "return";
    default: return "";
  }
}

class RuleTrace : public Source {
 public:
  explicit RuleTrace(std::string netns)
      : netns_(std::move(netns)), asking_(NETLINK_NETFILTER), listening_(NETLINK_NETFILTER, {NFNLGRP_NFTRACE, NFNLGRP_NFTABLES}) {
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
      kept.hit.hook = book_.hook_of(kept.hit.family, kept.hit.table, kept.base_chain);
      book_.join(kept.hit);
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
    std::string base_chain;   // a jumped-to chain has no hook of its own
  };

  void see(const nlmsghdr& message) {
    if (NFNL_SUBSYS_ID(message.nlmsg_type) != NFNL_SUBSYS_NFTABLES) return;
    if (NFNL_MSG_TYPE(message.nlmsg_type) == NFT_MSG_TRACE)
      trace(message);
    else
      book_.see(message);
  }

  void trace(const nlmsghdr& message) {
    const Trace trace(nftnl_trace_alloc(), nftnl_trace_free);
    if (!trace || nftnl_trace_nlmsg_parse(&message, trace.get()) < 0) return;
    const auto id = number(trace.get(), NFTNL_TRACE_ID);
    auto& packet = packets_[id];
    if (const auto raw = packet_of(trace.get()); !raw.empty()) packet = bind(trace.get(), raw);

    TraceHit hit = packet.headers;
    hit.netns = netns_;
    hit.trace_id = id;
    hit.family = nft::family_name(number(trace.get(), NFTNL_TRACE_FAMILY));
    hit.table = text(trace.get(), NFTNL_TRACE_TABLE);
    hit.chain = text(trace.get(), NFTNL_TRACE_CHAIN);
    hit.handle = nftnl_trace_is_set(trace.get(), NFTNL_TRACE_RULE_HANDLE) ? nftnl_trace_get_u64(trace.get(), NFTNL_TRACE_RULE_HANDLE) : 0;
    hit.type = type_name(number(trace.get(), NFTNL_TRACE_TYPE));
    hit.verdict = verdict_name(number(trace.get(), hit.type == "policy" ? NFTNL_TRACE_POLICY : NFTNL_TRACE_VERDICT));
    keep(std::move(hit), packet.base_chain);
  }

  static Packet bind(const nftnl_trace* trace, const std::string& raw) {
    Packet packet{.headers = {}, .base_chain = text(trace, NFTNL_TRACE_CHAIN)};
    packet.headers.icmp = is_icmp(raw);
    if (const auto parsed = read_packet(raw)) {
      if (const auto* segment = std::get_if<Segment>(&*parsed)) {
        packet.headers.source = segment->source;
        packet.headers.target = segment->target;
        packet.headers.flags = segment->flags;
        packet.headers.seq = segment->seq;
        packet.headers.ack = segment->ack;
        packet.headers.length = segment->length;
        packet.headers.ip_id = segment->ip_id;
      } else {
        const auto& error = std::get<IcmpError>(*parsed);
        packet.headers.source = error.quoted_source;
        packet.headers.target = error.quoted_target;
        packet.headers.seq = error.quoted_seq;
      }
    }
    return packet;
  }

  // A chain's end (type "rule", handle 0), a return and an accepting policy say nothing about a loss.
  void keep(TraceHit&& hit, const std::string& base_chain) {
    if (hit.table == nft::kTracingTable) return;
    if (hit.type == "return" || (hit.type == "rule" && !hit.handle) || (hit.type == "policy" && hit.verdict != "drop")) return;
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
