// From the ring's records to events. Pure: the running kernel's names come in as tables.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "evidence/collectors/kernel_raw.h"
#include "evidence/collectors/kernel_types.hpp"
#include "evidence/event.hpp"

namespace lab::evidence {

class Decoder {
 public:
  explicit Decoder(KernelNames names) : names_(std::move(names)) {}

  // Nothing for a record that is too short or of an unknown kind.
  std::optional<Event> decode(std::string_view record);
  // Forgets the sockets of a sandbox.
  void forget(std::uint32_t sandbox) { sockets_.erase(sandbox); }

 private:
  Event packet(const raw_packet& raw);

  KernelNames names_;
  // The ends of each socket while they were known: a reset on close comes when its ports are gone.
  struct Ends {
    Address local, peer;
  };
  std::map<std::uint32_t, std::map<std::uint64_t, Ends>> sockets_;
};

// "ESTABLISHED" for 1 (include/net/tcp_states.h).
std::string tcp_state_name(unsigned state);
// The letters of Segment::flags.
std::string tcp_flag_letters(unsigned flags);

}  // namespace lab::evidence
