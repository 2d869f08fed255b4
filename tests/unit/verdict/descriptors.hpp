// Stories of programs with descriptors, and of a child that shares them.
#pragma once

#include "unit/verdict/story.hpp"

namespace lab::verdict {

inline constexpr int kChildPid = 21;

// The client has descriptor 3, the server 5.
inline Story with_descriptors() {
  Story s(Story::Acts::calls);
  s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3}).act('S', "accept", {.fd = 5});
  s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
  return s;
}

inline Story& look(Story& s, const std::string& call, const std::string& args, std::int64_t result,
                   std::int64_t ms = 500) {
  s.wait(ms);
  const auto now = s.timeline().events.back().t_ns;
  return s.put(evidence::Call{
      .pid = kClientPid, .tid = kClientPid, .name = call, .args = args, .result = result, .start_ns = now});
}

// The parent closes its copy and goes on; what the child does decides.
inline Story forked(bool let_go = true) {
  auto s = with_descriptors();
  s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
  if (let_go) s.act('S', "close", {.fd = 5});
  s.wait(5);
  const auto local = *evidence::parse_address("127.0.0.1:8080"), peer = *evidence::parse_address("127.0.0.1:45000");
  return s.put(evidence::Call{.pid = kChildPid,
                              .tid = kChildPid,
                              .name = "recvfrom",
                              .result = 6,
                              .start_ns = s.timeline().events.back().t_ns,
                              .fd = 5,
                              .local = local,
                              .peer = peer});
}

}  // namespace lab::verdict
