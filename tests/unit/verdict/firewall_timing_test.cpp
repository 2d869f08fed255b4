// What a rule ate, against how long the program waits.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

// The rule eats the request; the repetition passes `ms` later, and the client waits for 150 ms.
Story repeated_behind(std::int64_t ms) {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 12", {.bytes = 12}).traced("C>S PA 1:13").wait(ms);
  const bool late = ms > 150;
  if (late) s.act('C', "recv 64", {.ms = 0, .ago = 150, .outcome = "timeout"}).close('C').wire("C>S FA 13");
  s.wire("C>S PA 1:13").wire("S>C A").recv('S', 12);
  if (!late) s.process(kServerPid, "sleeping").recv_timeout('C', 150 - ms).close('C').wire("C>S FA").wire("S>C A");
  return s.rule({}, 1).end();
}

TEST(FirewallDrop, TheRepetitionComesTooLate) {
  auto late = repeated_behind(200), in_time = repeated_behind(50);
  EXPECT_VERDICT(late, "firewall/drop", "confirmed");
  EXPECT_EQ(in_time.verdict().cause, "application/not-answering") << told(in_time.verdict());
}

// Only the server's acknowledgements are eaten, and the client waits no longer for an answer that nobody wrote.
Story acks_eaten(bool tcp_gave_up) {
  Story s;
  s.handshake().act('C', "send 12", {.bytes = 12}).wire("C>S PA 1:13").traced("S>C A").recv('S', 12);
  s.process(kServerPid, "sleeping").wait(200).wire("C>S PA 1:13").traced("S>C A");
  if (tcp_gave_up) s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 300}).wire("C>S R 13");
  if (!tcp_gave_up) s.recv_timeout('C', 300).close('C').wire("C>S FA 13").traced("S>C A");
  return s.rule({}, 3).end();
}

TEST(FirewallDrop, AcknowledgementsAloneKeepNoAnswerBack) {
  auto program = acks_eaten(false), tcp = acks_eaten(true);
  EXPECT_NE(program.verdict().status, Status::confirmed) << told(program.verdict());
  EXPECT_VERDICT(tcp, "firewall/drop", "confirmed");
}

}  // namespace
}  // namespace lab::verdict
