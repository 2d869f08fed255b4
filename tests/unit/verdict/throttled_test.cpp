// A control group whose share of CPU time was used up.
#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// 5 % of a CPU: 9 of 10 periods ran dry while the client waited a second.
Story throttled(std::uint64_t periods, const char* at_work = "burn 300ms", int waits_ms = 1000) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).waiting('S', at_work, true).process(kServerPid, "running");
  s.recv_timeout('C', waits_ms).limit(kServerPid, "cgroup.cpu", 5, periods, true);
  return s;
}

TEST(Throttled, AGroupWithoutItsShareHangs) {
  auto s = throttled(9).close('C').wire("C>S FA").end();
  EXPECT_VERDICT(s, "limits/cpu-time", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "cgroup.cpu");
}

TEST(Throttled, LookAlikeOnceAndBusyForReasonsOfItsOwn) {
  auto s = throttled(1).end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

TEST(Throttled, LookAlikeAndWaiting) {
  auto s = throttled(9, "recv 64").end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-answering");
}

// It sleeps, or waits for a lock: no share would have helped.
TEST(Throttled, LookAlikeItsThreadWasAsleep) {
  auto s = throttled(9, "sleep 5s").end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

// What else kept the server, nobody knows: a machine that stood still looks the same.
TEST(Throttled, ForSomeOfTheTimeIsNoSureCauseAndNoneOfItsOwnEither) {
  auto s = throttled(9, "burn 300ms", 3500).end();
  EXPECT_VERDICT(s, "application/not-answering", "likely");
}

// The group had its dry time before: when it was asked, there was enough for it.
TEST(Throttled, LookAlikeBeforeItWasAsked) {
  Story s;
  s.limit(kServerPid, "cgroup.cpu", 5, 5, true).wait(400).limit(kServerPid, "cgroup.cpu", 5, 9, true);
  s.handshake().send('C', 6).recv('S', 6).waiting('S', "burn 300ms", true).process(kServerPid, "running");
  s.recv_timeout('C', 1000).limit(kServerPid, "cgroup.cpu", 5, 9, true).end();
  EXPECT_VERDICT(s, "application/not-answering", "confirmed");
}

// Nobody looked between the group's beginning and the question: all of it may have been before.
TEST(Throttled, WhatNobodyCountedIsNotTheWaits) {
  Story s;
  s.wait(900).handshake().send('C', 6).recv('S', 6).waiting('S', "burn 300ms", true).process(kServerPid, "running");
  s.recv_timeout('C', 1000).limit(kServerPid, "cgroup.cpu", 5, 9, true).end();
  EXPECT_VERDICT(s, "application/not-answering", "likely");
}

// The first look came soon after the question: what it did not count yet was the wait's.
TEST(Throttled, WhatTheFirstLookDidNotCountIsTheWaits) {
  Story s;
  s.wait(900).handshake().send('C', 6).recv('S', 6).waiting('S', "burn 300ms", true).process(kServerPid, "running");
  s.wait(80).limit(kServerPid, "cgroup.cpu", 5, 1, true).recv_timeout('C', 1000);
  s.limit(kServerPid, "cgroup.cpu", 5, 10, true).end();
  EXPECT_VERDICT(s, "limits/cpu-time", "confirmed");
}

TEST(Throttled, WithEventsMissing) {
  for (const auto* source : {"wire", "sockets", "actors", "processes"}) {
    auto s = throttled(9).end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "limits/cpu-time");
  }
}

}  // namespace
}  // namespace lab::verdict
