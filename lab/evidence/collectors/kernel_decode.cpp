#include "evidence/collectors/kernel_decode.hpp"

#include <array>
#include <cstring>

#include "evidence/collectors/syscalls_decode.hpp"

namespace lab::evidence {
namespace {

template <class Raw>
std::optional<Raw> as(std::string_view record) {
  if (record.size() < sizeof(Raw)) return {};
  Raw raw;
  std::memcpy(&raw, record.data(), sizeof raw);
  return raw;
}

std::string text(const char* chars, std::size_t most) { return {chars, ::strnlen(chars, most)}; }

Event signal(const raw_signal& raw) {
  SignalSent sent;
  sent.signal = raw.signal;
  sent.target = raw.target;
  sent.sender = raw.sender;
  sent.sender_name = text(raw.name, sizeof raw.name);
  sent.by_kernel = raw.by_kernel;
  sent.by_lab = raw.by_lab;
  return {.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = sent};
}

const char* kind_name(std::uint32_t kind) {
  static constexpr std::array names = {"", "drop", "send-reset", "receive-reset", "retransmit", "state"};
  return names.at(kind);
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

std::optional<Event> Decoder::decode(std::string_view record) {
  const auto header = as<raw_header>(record);
  if (!header) return {};
  switch (header->kind) {
    case RAW_SIGNAL:
      if (const auto raw = as<raw_signal>(record)) return signal(*raw);
      return {};
    case RAW_CALL:
      if (const auto raw = as<raw_call>(record)) return call_event(*raw);
      return {};
    case RAW_FILTER:
      if (const auto raw = as<raw_call>(record)) return filter_event(*raw);
      return {};
    case RAW_DROP:
    case RAW_SEND_RESET:
    case RAW_RECEIVE_RESET:
    case RAW_RETRANSMIT:
    case RAW_STATE:
      if (const auto raw = as<raw_packet>(record)) return packet(*raw);
      return {};
    default:
      return {};
  }
}

Event Decoder::packet(const raw_packet& raw) {
  KernelEvent event;
  const auto kind = raw.header.kind;
  event.kind = kind_name(kind);
  if (kind == RAW_DROP) event.reason = names_.drop_reason(raw.reason);
  if (kind == RAW_SEND_RESET) event.reason = names_.reset_reason(raw.reason);
  event.old_state = tcp_state_name(raw.old_state);
  event.state = tcp_state_name(raw.state);
  event.where = text(raw.where, sizeof raw.where);
  event.source = local_of(raw.ends);
  event.target = peer_of(raw.ends);
  event.flags = tcp_flag_letters(raw.tcp_flags);
  event.seq = raw.seq;
  event.length = raw.length;
  event.socket = raw.socket;
  event.pid = raw.pid;
  if (raw.socket && kind != RAW_DROP) {
    // Ports go one by one as a socket dies; the first sight of both is what it was.
    auto& known = sockets_[raw.header.sandbox][raw.socket];
    const bool whole = event.source.port && event.target.port;
    const bool fresh = kind == RAW_STATE && event.old_state == "CLOSE";  // a new life of the same memory
    if (fresh) known = {};
    if (whole && event.state != "LISTEN" && kind != RAW_SEND_RESET) known = {event.source, event.target};
    if (!whole && known.local.known() && event.state != "LISTEN") {
      event.source = known.local;
      event.target = known.peer;
    }
  }
  return {.t_ns = static_cast<std::int64_t>(raw.header.t_ns), .what = event};
}

}  // namespace lab::evidence
