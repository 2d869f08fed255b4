// What came when the victim had given up neither ended the connection nor mends it.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

const Story::Rule kDrop{};

// The client's request is eaten until it gives up.
Story given_up() {
  Story s;
  s.handshake().waiting('S', "recv 64").act('C', "send 6", {.bytes = 6});
  for (int i = 0; i < 2; ++i) s.traced("C>S PA 1:7").wait(200);
  return s.recv_timeout('C', 400);
}

TEST(Afterwards, ARepetitionThatGetsThrough) {
  for (const bool fin_eaten : {false, true}) {
    auto s = given_up();
    s.wait(300).wire("C>S PA 1:7").wire("S>C A").act('S', "recv 64", {.bytes = 6});
    if (fin_eaten) s.close('C').traced("C>S FA 7").wait(200).wire("C>S FA 7").wire("S>C A");
    s.rule(kDrop, 2).end();
    EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  }
}

// In time, or read in time though that was told later: it is not what the client gave up on that was eaten.
TEST(Afterwards, LookAlikeItGotThroughBefore) {
  for (const bool acked : {true, false}) {
    Story s;
    s.handshake().act('C', "send 6", {.bytes = 6}).traced("C>S PA 1:7").wait(200).wire("C>S PA 1:7");
    if (acked) s.wire("S>C A");
    s.act('S', "recv 64", {.bytes = 6}).waiting('S', "sleep 5s").process(kServerPid, "sleeping");
    s.recv_timeout('C', 400).close('C');
    if (acked) s.traced("C>S FA 7");
    if (!acked) s.wire("C>S FA 7").wire("S>C A");
    s.rule(kDrop, acked ? 2 : 1).end();
    EXPECT_EQ(s.verdict().cause, acked ? "application/not-answering" : "unknown") << told(s.verdict());
  }
}

TEST(Afterwards, AWindowThatIsShut) {
  for (const bool after : {true, false}) {
    Story s;
    s.handshake().waiting('S', "recv-exactly 4000").act('C', "send 2000", {.bytes = 2000}).wire("C>S PA 1:1001");
    s.wire(after ? "S>C A" : "S>C A win=0").act('S', "recv-exactly 1000", {.bytes = 1000});
    s.process(kServerPid, "sleeping").recv_timeout('C', 500);
    if (after) s.wire("S>C A win=0");
    s.end();
    EXPECT_EQ(s.verdict().cause == "limits/receive-buffer", !after) << told(s.verdict());
  }
}

}  // namespace
}  // namespace lab::verdict
