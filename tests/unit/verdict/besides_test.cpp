// What came besides, and had nothing to do with how the connection ended.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

const Story::Rule kReset{.action = "reject", .text = "tcp dport 8080 reject with tcp reset", .name = "a-reset"};

// Something changes, and then a rule eats the client's words.
Story eaten_behind(const std::string& kind, const std::string& object, const std::string& detail = "") {
  Story s;
  s.handshake().exchange().changed(kind, object, detail).wait(200).waiting('S', "recv 64");
  s.act('C', "send 6", {.bytes = 6}).traced("C>S PA 7:13").wait(210).traced("C>S PA 7:13").recv_timeout('C', 700);
  return std::move(s.end());
}

TEST(Besides, AChangeThatIsAboutOthers) {
  for (const auto& [kind, object, detail] :
       {std::tuple{"route-added", "blackhole 203.0.113.9/32", ""}, std::tuple{"route-deleted", "203.0.113.0/24", ""},
        std::tuple{"route-added", "unreachable 2001:db8:77::1/128", ""},
        std::tuple{"sysctl", "net.ipv4.ip_forward", "0 -> 1"}, std::tuple{"address-deleted", "127.0.0.53/32", "lo"}}) {
    auto s = eaten_behind(kind, object, detail);
    EXPECT_VERDICT(s, "firewall/drop", "confirmed");
    for (const auto* source : {"kernel", "nft-trace"}) {
      auto less = s;
      less.drop_source(source);
      EXPECT_NOT_WRONGLY_CONFIRMED(less, "firewall/drop");
    }
  }
}

TEST(Besides, AChangeThatIsAboutItWhereTheKernelTellsOfARulesDropsOnly) {
  for (const auto* object : {"blackhole 127.0.0.1/32", "blackhole 127.0.0.0/8", "blackhole default"}) {
    auto s = eaten_behind("route-added", object);
    EXPECT_VERDICT(s, "firewall/drop", "confirmed");
    s.drop_source("kernel");
    EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
  }
}

// The other way round: the same changes, and nothing else.
TEST(Besides, AChangeThatIsAboutItAndNothingElse) {
  for (const auto* object : {"blackhole 127.0.0.1/32", "blackhole 127.0.0.0/8", "blackhole default"}) {
    Story s;
    s.handshake().exchange().changed("route-added", object).wait(200).waiting('S', "recv 64");
    s.act('C', "send 6", {.bytes = 6}).recv_timeout('C', 700).end();
    EXPECT_VERDICT(s, "kernel/route", "confirmed");
  }
}

Story half_closed() {
  Story s;
  s.handshake().send('C', 6).recv('S', 6).send('S', 2).recv('C', 2).act('S', "shutdown write");
  return std::move(s.wire("S>C FA").wire("C>S A").wait(50));
}

TEST(Besides, AHalfCloseBeforeARulesReset) {
  auto s = half_closed();
  s.act('C', "send 6", {.bytes = 6}).traced("C>S PA 7:13", kReset).wire("S>C R 4").rule(kReset, 1);
  s.act('C', "send 6", {.error = EPIPE}).counter("TcpOutRsts", 0).end();
  EXPECT_VERDICT(s, "firewall/reject-reset", "confirmed");
}

TEST(Besides, AHalfCloseBeforeACrash) {
  auto s = half_closed();
  s.act('C', "send 6", {.bytes = 6}).wire("C>S PA 7:13").wire("S>C A").wait(50).signal(SIGSEGV, kServerPid, 0, true);
  s.killed(kServerPid, SIGSEGV).built('S', "TCP_ABORT_ON_CLOSE", "FIN_WAIT2").wire("S>C RA");
  s.act('C', "send 6", {.error = EPIPE}).counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "application/crashed", "confirmed");
}

// Its own close after that is what ended it.
TEST(Besides, LookAlikeAHalfCloseAndAClose) {
  auto s = half_closed();
  s.close('S').act('C', "send 6", {.bytes = 6}).wire("C>S PA 7:13").built('S', "TCP_ABORT_ON_DATA", "FIN_WAIT2");
  s.wire("S>C R 4").act('C', "send 6", {.error = EPIPE}).counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

// The request had arrived, and nobody meant to answer it: its acknowledgements are no loss to who waits for bytes.
TEST(Besides, AcknowledgementsThatWereEaten) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").traced("S>C A", {.text = "tcp sport 8080 drop"});
  s.waiting('S', "sleep 5s").wait(210).wire("C>S PA 1:7").traced("S>C A", {.text = "tcp sport 8080 drop"});
  s.process(kServerPid, "sleeping").socket('S', {.rq = 6, .pids = {kServerPid}}).recv_timeout('C', 800).end();
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

TEST(Besides, AnAcknowledgementThatWasMadeGoodUnseen) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).traced("S>C A", {.text = "tcp sport 8080 drop"}).recv('S', 6);
  s.wait(210).wire("S>C A").act('S', "send 20000", {.bytes = 9000, .ms = 1300, .outcome = "timeout"}).end();
  s.drop_source("wire");
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

TEST(Besides, AnAcknowledgementThatWasMadeGoodIsMissingNoMore) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").traced("S>C A", {.text = "tcp sport 8080 drop"});
  s.recv('S', 6).wait(210).wire("C>S PA 1:7").wire("S>C A").send('S', 5).recv('C', 5).wait(100);
  s.changed("link-down", "lo").act('C', "send 6", {.bytes = 6}).recv_timeout('C', 800).end();
  EXPECT_VERDICT(s, "kernel/link-down", "confirmed");
}

// Where neither rules nor drops were watched, what is not acknowledged behind a delayed ACK's time may have been lost.
TEST(Besides, ACloseOverWhatMayHaveBeenLost) {
  for (const bool watched : {true, false}) {
    Story s;
    if (!watched) s.off("kernel").off("nft-trace");
    s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wait(120).close('S').wire("S>C FA");
    s.wire("C>S A").recv_eof('C').end();
    EXPECT_VERDICT(s, "application/closed", watched ? "confirmed" : "likely");
  }
}

TEST(Besides, EveryLocalPortMayBeTaken) {
  Story s;
  s.act('C', "connect", {.error = EADDRNOTAVAIL}).end();
  EXPECT_VERDICT(s, "connect/unreachable", "likely");
}

// Bytes went across under the rule that writes; then the link went.
TEST(Besides, ARuleThatHadWrittenWithoutHarm) {
  const Story::Rule rule{.action = "", .text = "tcp dport 8080 tcp window set 500", .verdict = "continue"};
  Story s;
  s.handshake().traced("C>S A", rule).exchange().wait(100).exchange().wait(100).changed("link-down", "lo");
  s.recv('S', 0).act('S', "send 5", {.bytes = 5}).recv_timeout('C', 700).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "kernel/link-down");
}

}  // namespace
}  // namespace lab::verdict
