// A place in the timeline, and the two ends of a connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "evidence/address.hpp"

namespace lab::verdict {

using evidence::Address;

// A place in the timeline: which event, when, and whether the time is the kernel's or only when it was read.
struct Mark {
  static constexpr std::size_t nowhere = std::numeric_limits<std::size_t>::max();
  std::int64_t t = 0;
  std::size_t event = nowhere;
  bool read_time = false;
  explicit operator bool() const { return event != nowhere; }
};

// `client` is the end that opened the connection.
enum class Who : std::uint8_t { client, server };
inline Who other(Who who) { return who == Who::client ? Who::server : Who::client; }
inline const char* name_of(Who who) { return who == Who::client ? "client" : "server"; }

template <class T>
struct Both {
  T client{}, server{};
  T& operator[](Who who) { return who == Who::client ? client : server; }
  const T& operator[](Who who) const { return who == Who::client ? client : server; }
};

// Sequence numbers wrap: a is behind b when the signed difference says so (RFC 9293, 3.4).
inline bool behind(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }

}  // namespace lab::verdict
