#include "evidence/collectors/kernel_decode.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace lab::evidence {
namespace {

template <class Raw>
std::optional<Raw> as(std::string_view record) {
  if (record.size() < sizeof(Raw)) return {};
  Raw raw;
  std::memcpy(&raw, record.data(), sizeof raw);
  return raw;
}

// A field of copied kernel memory; zero where the kernel has no such field or it lies beyond what was copied.
template <class T>
T field(const unsigned char* bytes, std::size_t size, int offset) {
  T value{};
  if (offset >= 0 && static_cast<std::size_t>(offset) + sizeof value <= size)
    std::memcpy(&value, bytes + offset, sizeof value);
  return value;
}

using Ip = std::array<std::uint8_t, 16>;

// 0.0.0.0:0 is no end at all.
Address end_at(int family, const Ip& ip, std::uint16_t port) {
  return !port && ip == Ip{} ? Address{} : make_address(family, ip.data(), port);
}

std::string text(const char* chars, std::size_t most) { return {chars, ::strnlen(chars, most)}; }

// A packet socket that has no use for its copy frees the copy; the segment itself goes its way. 6.1 shows every packet
// of every namespace to a fanout group, and calls this a drop without a reason.
bool is_tap(std::string_view where) { return where.starts_with("packet_rcv") || where.starts_with("tpacket_rcv"); }

// There a socket is taken by a call of its own or its task's end (tcp_close_state, net/ipv4/tcp.c); elsewhere it gets
// by a segment too, in whatever task that finds running. The exception: what was shut down in SYN_RECV, by the last
// ACK.
bool closes_itself(const KernelEvent& event) { return event.state == "FIN_WAIT1" || event.state == "LAST_ACK"; }

std::string call_name(__s32 number) {
  if (number == RAW_ENDS) return "exit";
  if (number < 0) return "";
  const auto* known = known_call(static_cast<unsigned>(number));
  return known ? known->name : std::to_string(number);
}

Event signal(const raw_signal& raw) {
  SignalSent sent;
  sent.signal = raw.signal;
  sent.target = raw.target;
  // The kernel kills a sandbox's processes on behalf of its init, as that one ends.
  sent.by_lab = raw.by_lab;
  sent.by_kernel = raw.by_kernel && !raw.by_lab;
  if (!sent.by_kernel) {
    sent.sender = raw.sender;
    sent.sender_name = text(raw.name, sizeof raw.name);
  }
  return {.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = sent};
}

std::uint16_t big16(const unsigned char* b) { return static_cast<std::uint16_t>(b[0] << 8 | b[1]); }
std::uint32_t big32(const unsigned char* b) { return std::uint32_t{big16(b)} << 16 | big16(b + 2); }

// No more bytes are told than a record holds.
std::optional<raw_call> call_of(std::string_view record) {
  auto raw = as<raw_call>(record);
  if (!raw) return {};
  raw->data_length = std::min<__u8>(raw->data_length, RAW_DATA);
  raw->second_length = std::min<__u8>(raw->second_length, RAW_SECOND);
  return raw;
}

}  // namespace

std::string tcp_state_name(unsigned state) {
  static constexpr std::array names = {"",          "ESTABLISHED", "SYN_SENT",     "SYN_RECV",      "FIN_WAIT1",
                                       "FIN_WAIT2", "TIME_WAIT",   "CLOSE",        "CLOSE_WAIT",    "LAST_ACK",
                                       "LISTEN",    "CLOSING",     "NEW_SYN_RECV", "BOUND_INACTIVE"};
  return state < names.size() ? names[state] : std::to_string(state);
}

std::string tcp_flag_letters(unsigned flags) {
  static constexpr std::string_view letters = "FSRPAUEC";  // bits 0 to 7 of the header's flags
  static constexpr std::string_view order = "SFRPAUEC";
  std::string out;
  for (const char letter : order)
    if (flags >> letters.find(letter) & 1) out += letter;
  return out;
}

std::optional<PacketHead> parse_packet(std::string_view bytes) {
  const auto* b = reinterpret_cast<const unsigned char*>(bytes.data());
  if (bytes.size() < 40) return {};
  const bool v4 = b[0] >> 4 == 4, v6 = b[0] >> 4 == 6;
  if (!v4 && !v6) return {};
  const std::size_t offset = v4 ? (b[0] & 15u) * 4 : 40;
  const std::uint32_t total = v4 ? big16(b + 2) : big16(b + 4) + 40u;
  const int protocol = v4 ? b[9] : b[6], family = v4 ? 4 : 6;
  const auto *source = b + (v4 ? 12 : 8), *target = b + (v4 ? 16 : 24);
  PacketHead head;
  if (protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6) {
    head.source = make_address(family, source, 0);
    head.target = make_address(family, target, 0);
    return head;
  }
  if (protocol != IPPROTO_TCP || bytes.size() < offset + 20) return {};
  const auto* tcp = b + offset;
  head.source = make_address(family, source, big16(tcp));
  head.target = make_address(family, target, big16(tcp + 2));
  head.seq = big32(tcp + 4);
  head.flags = tcp_flag_letters(tcp[13]);
  const auto headers = static_cast<std::uint32_t>(offset) + (tcp[12] >> 4) * 4u;
  head.length = total > headers ? total - headers : 0;
  return head;
}

Ends Decoder::ends_of(const raw_sock& sock) const {
  const auto& at = facts_.layout;
  const auto get = [&sock]<class T>(T, int offset) { return field<T>(sock.common, sizeof sock.common, offset); };
  if (!sock.address) return {};
  const auto family = get(std::uint16_t{}, at.family);
  auto local_port = get(std::uint16_t{}, at.num);
  if (!local_port) local_port = ntohs(sock.sport);  // a closed socket's number is gone from sock_common first
  const auto peer_port = ntohs(get(std::uint16_t{}, at.dport));
  Ip local{}, peer{};
  if (family == AF_INET6) {
    local = get(Ip{}, at.v6_rcv_saddr);
    peer = get(Ip{}, at.v6_daddr);
  } else if (family == AF_INET) {
    const auto l = get(std::uint32_t{}, at.rcv_saddr), p = get(std::uint32_t{}, at.daddr);
    std::memcpy(local.data(), &l, sizeof l);
    std::memcpy(peer.data(), &p, sizeof p);
  } else {
    return {};
  }
  const int version = family == AF_INET6 ? 6 : 4;
  return {end_at(version, local, local_port), end_at(version, peer, peer_port), true};
}

std::vector<Event> Decoder::decode(std::string_view record) {
  const auto header = as<raw_header>(record);
  std::vector<Event> events;
  if (!header) return events;
  if (header->kind == RAW_SIGNAL) {
    if (const auto raw = as<raw_signal>(record)) events.push_back(signal(*raw));
  } else if (header->kind == RAW_CALL) {
    if (const auto raw = call_of(record))
      for (const auto& call : restarts_[header->sandbox].pass({*raw, ends_of(raw->sock)}))
        events.push_back(call_event(call.raw, call.ends));
  } else if (header->kind == RAW_FILTER) {
    if (const auto raw = call_of(record)) events.push_back(filter_event(*raw, ends_of(raw->sock)));
  } else if (const auto raw = as<raw_packet>(record)) {
    if (auto event = packet(*raw)) events.push_back(std::move(*event));
  }
  return events;
}

std::vector<Event> Decoder::finish(std::uint32_t sandbox) {
  std::vector<Event> events;
  for (const auto& call : restarts_[sandbox].rest()) events.push_back(call_event(call.raw, call.ends));
  restarts_.erase(sandbox);
  sockets_.erase(sandbox);
  return events;
}

Event Decoder::repeat(const raw_repeat_key& key, const raw_repeat& value) const {
  return repeat_event(key, value, ends_of(value.sock));
}

std::optional<Event> Decoder::packet(const raw_packet& raw) {
  static constexpr std::array names = {"", "drop", "send-reset", "receive-reset", "retransmit", "state"};
  const auto kind = raw.header.kind;
  if (kind == 0 || kind >= names.size()) return {};
  KernelEvent event;
  event.kind = names[kind];
  event.socket = raw.sock.address;
  event.pid = raw.pid;
  const bool carries = kind == RAW_DROP || kind == RAW_SEND_RESET;
  const auto head = carries && raw.packet
                        ? parse_packet({reinterpret_cast<const char*>(raw.headers), sizeof raw.headers})
                        : std::nullopt;
  if (kind == RAW_DROP) {
    if (!head) return {};
    event.reason = facts_.drop_reason(raw.reason);
    event.where = text(raw.where, sizeof raw.where);
    if (is_tap(event.where)) return {};
    event.source = head->source;
    event.target = head->target;
    event.flags = head->flags;
    event.seq = head->seq;
    event.length = head->length;
    return Event{.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = event};
  }
  if (event.socket && raw.sock.protocol != IPPROTO_TCP && kind == RAW_STATE) return {};
  const auto ends = ends_of(raw.sock);
  event.source = ends.local;
  event.target = ends.peer;
  if (event.socket) event.state = tcp_state_name(field<std::uint8_t>(raw.sock.common, RAW_COMMON, facts_.layout.state));
  if (kind == RAW_STATE) {
    event.old_state = tcp_state_name(static_cast<unsigned>(raw.old_state));
    event.state = tcp_state_name(static_cast<unsigned>(raw.new_state));
    if (closes_itself(event)) event.call = call_name(raw.call);
  }
  if (kind == RAW_RETRANSMIT) {
    const auto& at = facts_.layout;
    const auto flags = field<std::uint8_t>(raw.cb, sizeof raw.cb, at.tcp_flags);
    event.flags = tcp_flag_letters(flags);
    event.seq = field<std::uint32_t>(raw.cb, sizeof raw.cb, at.seq);
    event.length = field<std::uint32_t>(raw.cb, sizeof raw.cb, at.end_seq) - event.seq;
    if (event.length && flags & 3) --event.length;  // SYN and FIN take a number of their own
  }
  if (kind == RAW_SEND_RESET) {
    event.reason = facts_.reset_reason(raw.reason);
    if (head) {  // the answer to a packet goes back where that came from
      event.source = head->target;
      event.target = head->source;
      return Event{.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = event};
    }
  }
  if (event.socket) remember(raw.header.sandbox, event);
  return Event{.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = event};
}

// Ports go one by one as a socket dies; the last sight of both is what it was.
void Decoder::remember(std::uint32_t sandbox, KernelEvent& event) {
  auto& known = sockets_[sandbox][event.socket];
  if (event.old_state == "CLOSE") known = {};  // a new life of the same memory
  if (event.state == "LISTEN" || event.old_state == "LISTEN") return;
  if (event.source.port && event.target.port) {
    known = {event.source, event.target};
  } else if (known.local.known()) {
    event.source = known.local;
    event.target = known.peer;
  }
}

}  // namespace lab::evidence
