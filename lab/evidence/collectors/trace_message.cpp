#include "evidence/collectors/trace_message.hpp"

#include <arpa/inet.h>
#include <endian.h>

#include <cstring>
#include <map>
#include <string_view>

#include "evidence/collectors/attributes.hpp"
#include "evidence/collectors/packet.hpp"
#include "system/nftables/dump.hpp"
#include "system/nftables/netfilter.hpp"

// By hand: libnftnl ends the whole process over a message that is not as it expects (abi_breakage).

namespace lab::evidence {
namespace {

std::string_view bytes(const nlattr& attribute) {
  return {static_cast<const char*>(mnl_attr_get_payload(&attribute)), mnl_attr_get_payload_len(&attribute)};
}
std::string text(const nlattr& attribute) {
  const auto all = bytes(attribute);
  return std::string(all.substr(0, all.find('\0')));
}
// Numbers are in network order; one of another width is none.
std::uint32_t number(const nlattr& attribute) {
  std::uint32_t value = 0;
  const auto all = bytes(attribute);
  if (all.size() == sizeof value) std::memcpy(&value, all.data(), sizeof value);
  return ntohl(value);
}
std::uint64_t long_number(const nlattr& attribute) {
  std::uint64_t value = 0;
  const auto all = bytes(attribute);
  if (all.size() == sizeof value) std::memcpy(&value, all.data(), sizeof value);
  return be64toh(value);
}

// The network header comes with 20 bytes of what follows it; the transport header's 20 bytes replace those.
std::string packet_of(std::string_view network, std::string_view transport) {
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

// Of "fragmentation needed" (RFC 1191) and "packet too big" (RFC 4443): the trace has 20 bytes of the ICMP message,
// which ends before the addresses of the segment that it quotes.
void take_too_big(TraceHit& headers, const std::string& raw) {
  const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(raw[i]); };
  const bool six = at(0) >> 4 == 6;
  const std::size_t header = six ? 40 : (at(0) & 15U) * 4U;
  if (header < 20 || raw.size() < header + 8) return;
  if (six ? at(header) != 2 : at(header) != 3 || at(header + 1) != 4) return;
  headers.mtu = at(header + 6) * 256U + at(header + 7);
  if (headers.source.known()) return;
  headers.source = make_address(six ? 6 : 4, raw.data() + (six ? 8 : 12), 0);
  headers.target = make_address(six ? 6 : 4, raw.data() + (six ? 24 : 16), 0);
}

std::string verdict_name(std::uint32_t verdict) {
  static const std::map<int, const char*> names = {
      {NF_DROP, "drop"},     {NF_ACCEPT, "accept"},      {NF_QUEUE, "queue"},
      {NF_STOLEN, "stolen"}, {NFT_CONTINUE, "continue"}, {NFT_BREAK, "break"},
      {NFT_JUMP, "jump"},    {NFT_GOTO, "goto"},         {NFT_RETURN, "return"}};
  const auto name = names.find(static_cast<int>(verdict));
  return name == names.end() ? "" : name->second;
}

std::string type_name(std::uint32_t type) {
  switch (type) {
    case NFT_TRACETYPE_RULE:
      return "rule";
    case NFT_TRACETYPE_POLICY:
      return "policy";
    case NFT_TRACETYPE_RETURN:
      return "return";
    default:
      return "";
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

void take_headers(TraceHit& headers, const std::string& raw) {
  take(headers, raw);
  if (headers.icmp) take_too_big(headers, raw);
}

struct Fields {
  std::string_view network, transport;
  std::uint32_t type = 0, verdict = 0, policy = 0;
};

void take(TraceHit& hit, Fields& fields, const nlattr& attribute) {
  switch (mnl_attr_get_type(&attribute)) {
    case NFTA_TRACE_TABLE:
      hit.table = text(attribute);
      break;
    case NFTA_TRACE_CHAIN:
      hit.chain = text(attribute);
      break;
    case NFTA_TRACE_RULE_HANDLE:
      hit.handle = long_number(attribute);
      break;
    case NFTA_TRACE_ID:
      hit.trace_id = number(attribute);
      break;
    case NFTA_TRACE_TYPE:
      fields.type = number(attribute);
      break;
    case NFTA_TRACE_POLICY:
      fields.policy = number(attribute);
      break;
    case NFTA_TRACE_NETWORK_HEADER:
      fields.network = bytes(attribute);
      break;
    case NFTA_TRACE_TRANSPORT_HEADER:
      fields.transport = bytes(attribute);
      break;
    case NFTA_TRACE_VERDICT:
      each_nested(attribute, [&](const nlattr& nested) {
        if (mnl_attr_get_type(&nested) == NFTA_VERDICT_CODE) fields.verdict = number(nested);
      });
      break;
    default:
      break;
  }
}

}  // namespace

std::optional<TraceMessage> read_trace(const nlmsghdr& message) {
  if (mnl_nlmsg_get_payload_len(&message) < sizeof(nfgenmsg)) return {};
  TraceMessage told;
  Fields fields;
  each_attribute(message, sizeof(nfgenmsg), [&](const nlattr& attribute) { take(told.hit, fields, attribute); });
  if (const auto raw = packet_of(fields.network, fields.transport); !raw.empty()) {
    told.has_headers = true;
    take_headers(told.hit, raw);
  }
  // The table's family; NFTA_TRACE_NFPROTO is the packet's.
  told.hit.family = nft::family_name(static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(&message))->nfgen_family);
  told.hit.type = type_name(fields.type);
  told.hit.verdict = verdict_name(told.hit.type == "policy" ? fields.policy : fields.verdict);
  return told;
}

}  // namespace lab::evidence
