// From the ring's records to events. Pure: what differs between kernels comes in as tables.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "evidence/collectors/kernel_raw.h"
#include "evidence/collectors/kernel_types.hpp"
#include "evidence/collectors/syscalls_decode.hpp"
#include "evidence/collectors/syscalls_restarts.hpp"
#include "evidence/event.hpp"

namespace lab::evidence {

// Nothing for bytes that hold no IPv4 or IPv6 packet with TCP or ICMP in it.
struct PacketHead {
  Address source, target;
  std::string flags;
  std::uint32_t seq = 0, length = 0;
};
std::optional<PacketHead> parse_packet(std::string_view from_network_header);

class Decoder {
 public:
  explicit Decoder(KernelFacts facts) : facts_(std::move(facts)) {}

  // Nothing for a record that is too short, of an unknown kind, or not about TCP.
  std::vector<Event> decode(std::string_view record);
  // The last of the repeated calls that were left out.
  Event repeat(const raw_repeat_key& key, const raw_repeat& value) const;
  // A sandbox has ended: what was held back of its calls, and then it is forgotten.
  std::vector<Event> finish(std::uint32_t sandbox);

 private:
  std::optional<Event> packet(const raw_packet& raw);
  void remember(std::uint32_t sandbox, KernelEvent& event);
  Ends ends_of(const raw_sock& sock) const;

  KernelFacts facts_;
  // The ends of each socket while they were known: a reset on close comes when its ports are gone.
  std::map<std::uint32_t, std::map<std::uint64_t, Ends>> sockets_;
  std::map<std::uint32_t, Restarts> restarts_;
};

// "ESTABLISHED" for 1 (include/net/tcp_states.h).
std::string tcp_state_name(unsigned state);
// The letters of Segment::flags.
std::string tcp_flag_letters(unsigned flags);

}  // namespace lab::evidence
