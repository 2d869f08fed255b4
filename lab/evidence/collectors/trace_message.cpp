#include "evidence/collectors/trace_message.hpp"

#include <libnftnl/trace.h>

#include <memory>

#include "evidence/collectors/packet.hpp"
#include "system/nftables/dump.hpp"
#include "system/nftables/netfilter.hpp"

namespace lab::evidence {
namespace {

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

void take(TraceHit& headers, const std::string& raw) {
  headers.icmp = is_icmp(raw);
  const auto parsed = read_packet(raw);
  if (!parsed) return;
  if (const auto* segment = std::get_if<Segment>(&*parsed)) {
    headers.source = segment->source;
    headers.target = segment->target;
    headers.flags = segment->flags;
    headers.seq = segment->seq;
    headers.ack = segment->ack;
    headers.length = segment->length;
    headers.ip_id = segment->ip_id;
  } else {
    const auto& error = std::get<IcmpError>(*parsed);
    headers.source = error.quoted_source;
    headers.target = error.quoted_target;
    headers.seq = error.quoted_seq;
  }
}

}  // namespace

std::optional<TraceMessage> read_trace(const nlmsghdr& message) {
  const Trace trace(nftnl_trace_alloc(), nftnl_trace_free);
  if (!trace || nftnl_trace_nlmsg_parse(&message, trace.get()) < 0) return {};
  TraceMessage told;
  auto& hit = told.hit;
  hit.trace_id = number(trace.get(), NFTNL_TRACE_ID);
  if (const auto raw = packet_of(trace.get()); !raw.empty()) {
    told.has_headers = true;
    take(hit, raw);
  }
  hit.family = nft::family_name(number(trace.get(), NFTNL_TRACE_FAMILY));
  hit.table = text(trace.get(), NFTNL_TRACE_TABLE);
  hit.chain = text(trace.get(), NFTNL_TRACE_CHAIN);
  if (nftnl_trace_is_set(trace.get(), NFTNL_TRACE_RULE_HANDLE))
    hit.handle = nftnl_trace_get_u64(trace.get(), NFTNL_TRACE_RULE_HANDLE);
  hit.type = type_name(number(trace.get(), NFTNL_TRACE_TYPE));
  hit.verdict = verdict_name(number(trace.get(), hit.type == "policy" ? NFTNL_TRACE_POLICY : NFTNL_TRACE_VERDICT));
  return told;
}

}  // namespace lab::evidence
