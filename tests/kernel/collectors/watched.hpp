// What the tests of the collectors share: a sink that keeps, and a connection to watch.
#pragma once

#include <gmock/gmock.h>

#include <cstdint>
#include <string>
#include <vector>

#include "evidence/collectors/collector.hpp"
#include "support/netns.hpp"
#include "system/descriptor.hpp"

namespace lab::test {

class Kept : public evidence::Sink {
 public:
  void put(evidence::Event event) override { events.push_back(std::move(event)); }

  template <class Seen>
  std::vector<Seen> all() const {
    std::vector<Seen> found;
    for (const auto& event : events)
      if (const auto* seen = std::get_if<Seen>(&event.what)) found.push_back(*seen);
    return found;
  }

  std::vector<evidence::Event> events;
};

inline constexpr std::uint16_t kPort = 8080;

// Both ends of a connection over the loopback of the calling process's namespace. Family: 4 or 6.
struct Pair {
  explicit Pair(int family = 4);
  void send(const std::string& text) const;  // client to server
  std::string receive() const;               // one read by the server

  sys::Descriptor listener, client, server;
  std::string client_address, server_address;  // "127.0.0.1:8080"
};

}  // namespace lab::test
