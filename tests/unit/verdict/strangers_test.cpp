// What programs that are not the lab's own do: they wait in poll.
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// The client has descriptor 3, the server 5.
Story with_descriptors() {
  Story s(Story::Acts::calls);
  s.wire("C>S S 0").wire("S>C SA 0").wire("C>S A").act('C', "connect", {.fd = 3}).act('S', "accept", {.fd = 5});
  s.act('C', "send 6", {.bytes = 6, .fd = 3}).wire("C>S PA 1:7").wire("S>C A");
  return s;
}

Story& look(Story& s, const std::string& call, const std::string& args, std::int64_t result, std::int64_t ms = 500) {
  s.wait(ms);
  const auto now = s.timeline().events.back().t_ns;
  return s.put(evidence::Call{
      .pid = kClientPid, .tid = kClientPid, .name = call, .args = args, .result = result, .start_ns = now});
}

TEST(Polled, AnAnswerThatNeverCameInTimeIsNotAnswering) {
  for (const auto& [call, args] :
       {std::pair("poll", "[3:POLLIN 4:POLLIN], 2, 500ms"), std::pair("epoll_wait", "7, [], 8, 500ms"),
        std::pair("select", "4, read=[3], 500ms")}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5});
    s.process(kServerPid, "sleeping");
    look(s, call, args, 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "application/not-answering", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "server");
  }
}

TEST(Polled, AnotherDescriptorIsNoneOfItsBusiness) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5});
  look(s, "poll", "[4:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_NE(s.verdict().cause, "application/not-answering");
}

TEST(Polled, WhatALaterLookFindsWasNotWaitedForInVain) {
  auto s = with_descriptors();
  look(s, "poll", "[3:POLLIN], 1, 100ms", 0, 100);
  s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C FA").wire("C>S A");
  look(s, "poll", "[3:POLLIN=POLLIN], 1, 100ms", 1, 1);
  s.act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

}  // namespace
}  // namespace lab::verdict
