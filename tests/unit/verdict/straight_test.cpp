// Between a failure and the end time goes by: by the program's own doing, or for want of a CPU.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

constexpr int kWorker = 21;

// The server's next step fails, and it is a long time until anything else happens.
Story fails(const char* step, int error, std::int64_t ms = 300) {
  Story s;
  s.handshake().send('C', 6).recv('S', 6);
  return s.act('S', step, {.error = error, .bare = true}).wait(ms);
}
Story cannot_connect(std::int64_t ms = 300) { return fails("connect as=backend", ECONNREFUSED, ms); }
Story cannot_open() { return fails("open-files 8", EMFILE); }

Story& closes(Story& s) { return s.close('S').wire("S>C FA").recv_eof('C').end(); }
Story& ends(Story& s) { return s.wire("S>C FA").exits(kServerPid, 0).recv_eof('C').end(); }

TEST(Straight, TheNextStepIsTheEnd) {
  auto onwards = cannot_connect(), open = cannot_open();
  EXPECT_VERDICT(closes(onwards), "application/backend-refused", "confirmed");
  EXPECT_VERDICT(closes(open), "limits/descriptors", "confirmed");
}

TEST(Straight, NoStepIsLeft) {
  auto onwards = cannot_connect(), open = cannot_open();
  EXPECT_VERDICT(ends(onwards), "application/backend-refused", "confirmed");
  EXPECT_VERDICT(ends(open), "limits/descriptors", "confirmed");
}

TEST(Straight, TheNextStepIsToExit) {
  auto s = cannot_open().act('S', "exit 1", {.pending = true});
  EXPECT_VERDICT(ends(s), "limits/descriptors", "confirmed");
  auto later = cannot_open().act('S', "sleep 300ms", {.ms = 300}).act('S', "exit 1", {.pending = true});
  EXPECT_VERDICT(ends(later), "limits/descriptors", "likely");
}

TEST(Straight, ItSleptInBetween) {
  auto onwards = cannot_connect().act('S', "sleep 300ms", {.ms = 300});
  EXPECT_VERDICT(closes(onwards), "application/backend-refused", "likely");
  auto open = cannot_open().act('S', "sleep 300ms", {.ms = 300});
  EXPECT_VERDICT(ends(open), "limits/descriptors", "likely");
}

// A series too long to be kept in full: what came between is not known.
TEST(Straight, StepsInBetweenWereNotKept) {
  auto s = cannot_connect();
  evidence::StepDone close{.role = "server",
                           .actor = "server",
                           .index = 0,
                           .pid = kServerPid,
                           .tid = kServerPid,
                           .verb = "close",
                           .step = "close",
                           .call = "close",
                           .outcome = "ok"};
  close.local = *evidence::parse_address("127.0.0.1:8080");
  close.peer = *evidence::parse_address("127.0.0.1:45000");
  close.start_ns = close.end_ns = s.timeline().events.back().t_ns + 300'000'000;
  s.put(close).wire("S>C FA").recv_eof('C').end();
  EXPECT_VERDICT(s, "application/backend-refused", "likely");
}

TEST(Straight, AnotherThreadActedLast) {
  auto s = cannot_connect().act('S', "sleep 300ms", {.tid = kWorker});
  EXPECT_VERDICT(ends(s), "application/backend-refused", "likely");
}

// Accept, read, failure: the close is the worker's fourth step, as the server's own fourth is to sleep.
TEST(Straight, AnotherThreadClosesWithAStepOfThatNumber) {
  auto s = fails("open-files 8", EMFILE, 0);
  for (int i = 0; i < 3; ++i) s.act('S', "sleep 1ms", {.tid = kWorker});
  s.act('S', "sleep 300ms", {.ms = 300}).act('S', "close", {.tid = kWorker}).wire("S>C FA").recv_eof('C').end();
  EXPECT_VERDICT(s, "limits/descriptors", "likely");
}

// In a later turn of a series the same step comes again.
TEST(Straight, AStepOfThatNumberInALaterTurn) {
  auto s = cannot_open();
  const auto step = [](const char* verb, std::uint32_t index, std::int64_t start) {
    return evidence::StepDone{.role = "server",
                              .actor = "server",
                              .index = index,
                              .pid = kServerPid,
                              .tid = kServerPid,
                              .verb = verb,
                              .step = verb,
                              .call = verb,
                              .outcome = "ok",
                              .start_ns = start,
                              .end_ns = start};
  };
  const auto failed = s.timeline().events.back().t_ns;
  s.put(step("close-listener", 3, failed + 1'000'000));
  auto close = step("close", 3, failed + 300'000'000);
  close.local = *evidence::parse_address("127.0.0.1:8080");
  close.peer = *evidence::parse_address("127.0.0.1:45000");
  s.put(close).wire("S>C FA").recv_eof('C').end();
  EXPECT_VERDICT(s, "limits/descriptors", "likely");
}

// Want of a CPU alone does not last for seconds.
TEST(Straight, AfterSecondsItIsNoCauseAnyMore) {
  auto s = cannot_connect(3000);
  EXPECT_VERDICT(closes(s), "application/closed", "likely");
}

// Of a program not everything is seen.
TEST(Straight, CallsAreNotSteps) {
  Story s(Story::Acts::calls);
  s.handshake().send('C', 6).recv('S', 6);
  s.act('S', "connect as=backend", {.error = ECONNREFUSED, .bare = true}).wait(300);
  EXPECT_VERDICT(closes(s), "application/backend-refused", "likely");
}

}  // namespace
}  // namespace lab::verdict
