// What came when the victim had given up neither ended the connection nor mends it.
#include <cerrno>

#include "unit/verdict/descriptors.hpp"

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

// The server closed its copy, another holder lets the connection live, and it ends only when the client had gone.
TEST(Afterwards, AFinThatWasWaitedForInVain) {
  Story s;
  s.handshake().exchange().close('S').act('C', "recv-until-eof", {.ms = 300, .outcome = "timeout"});
  s.wait(5).close('C').wire("C>S FA").wire("S>C FA").end();
  EXPECT_NE(s.verdict().cause, "none") << told(s.verdict());
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

const Story::Rule kIn{.hook = "input", .text = "tcp dport 8080 drop"};
const Story::Rule kOut{.hook = "output", .text = "tcp sport 8080 drop"};

// An end that is owed nothing runs into its receive timeout, and reads what it waited for after all.
TEST(Afterwards, AnEatenAckThatWasMadeGoodHarmsNobody) {
  for (const bool probe : {false, true}) {
    Story s;
    s.handshake().exchange();
    if (probe) s.wait(1000).traced("C>S A 6", kIn).recv_timeout('S', 150).wait(800).wire("C>S A 6").wire("S>C A");
    if (!probe) {
      s.act('S', "send 5", {.bytes = 5}).wire("S>C PA 6:11").traced("C>S A", kIn).recv('C', 5).recv_timeout('S', 150);
      s.wait(50).wire("S>C PA 6:11").wire("C>S A");
    }
    s.close('C').wire("C>S FA").wire("S>C A").recv_eof('S').close('S').wire("S>C FA").wire("C>S A").rule(kIn, 1).end();
    EXPECT_VERDICT(s, "none", "confirmed");
  }
}

TEST(Afterwards, AnEatenFinThatWasMadeGoodHarmsNobody) {
  Story s;
  s.handshake().exchange().close('S').traced("S>C FA", kOut).recv_timeout('C', 150).wait(50).wire("S>C FA");
  s.wire("C>S A").recv_eof('C').close('C').wire("C>S FA").wire("S>C A").rule(kOut, 1).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

// What is missing is an answer that nobody has written yet.
TEST(Afterwards, ASlowServerAndOneEatenAck) {
  for (const bool again : {true, false}) {
    Story s;
    s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").traced("S>C A", kOut).recv('S', 6);
    s.recv_timeout('C', 150);
    if (again) s.wait(50).wire("C>S PA 1:7").wire("S>C A").wait(20);
    s.close('C').wire("C>S FA").wire("S>C A").act('S', "sleep 1s", {.ms = 1000});
    s.act('S', "send 5", {.bytes = 5}).wire("S>C PA 1:6").wire("C>S R 8").close('S').rule(kOut, 1).end();
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-answering");
  }
}

TEST(Afterwards, ASlowServerAndOneEatenProbe) {
  for (const bool closes : {true, false}) {
    Story s;
    s.handshake().send('C', 6).recv('S', 6);
    if (!closes) s.waiting('S', "sleep 5s").process(kServerPid, "sleeping");
    s.wait(1000).wire("C>S A 6").wire("S>C A").wait(1000).traced("C>S A 6", kIn).wait(500);
    s.act('C', "recv 64", {.ms = 10, .ago = 2500, .outcome = "timeout"}).wait(500);
    if (!closes) s.wire("C>S A 6").wire("S>C A");
    if (closes) s.close('C').wire("C>S FA").wire("S>C A").recv_eof('S').close('S').wire("S>C FA").wire("C>S A");
    s.rule(kIn, 1).end();
    EXPECT_VERDICT(s, "application/not-answering", closes ? "likely" : "confirmed");
  }
}

// Bytes are repeated and not answered: the probe that a rule ate before is not why.
TEST(Afterwards, AProbeIsNotWhatTcpGaveUpOn) {
  Story s;
  s.handshake().exchange().waiting('S', "recv 64").process(kServerPid, "sleeping").traced("C>S A 6", kIn).wait(300);
  s.act('C', "send 6", {.bytes = 6});
  for (const int ms : {200, 400, 10}) s.wire("C>S PA 7:13").wait(ms);
  s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 400}).wait(10).wire("S>C A").rule(kIn, 1).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
}

// The parent lets go at once, and the child ends it later.
TEST(Afterwards, AConnectionLeftToAChildIsHealthy) {
  for (const bool attached : {false, true}) {
    auto s = with_descriptors();
    s.act('S', "recv 64", {.bytes = 6, .fd = 5}).act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6");
    s.wire("C>S A").act('C', "recv 64", {.bytes = 5, .fd = 3});
    s.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = kChildPid});
    s.act('S', "close", {.fd = 5});
    if (attached) s.changed("bpf-attached", "a-program");
    s.act('C', "recv 64", {.ms = 500, .fd = 3, .outcome = "timeout"}).wait(100);
    s.put(evidence::Call{.pid = kChildPid,
                         .tid = kChildPid,
                         .name = "close",
                         .args = "5",
                         .start_ns = s.now(),
                         .fd = 5,
                         .local = *evidence::parse_address("127.0.0.1:8080"),
                         .peer = *evidence::parse_address("127.0.0.1:45000")});
    s.wire("S>C FA").wire("C>S A").act('C', "recv 64", {.bytes = 0, .fd = 3}).act('C', "close", {.fd = 3});
    s.wire("C>S FA").wire("S>C A").end();
    EXPECT_VERDICT(s, "none", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
