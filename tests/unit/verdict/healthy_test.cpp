// Nothing to complain about, however it looks.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

Story& both_close(Story& s, char first = 'C') {
  const bool c = first == 'C';
  return s.close(first)
      .wire(c ? "C>S FA" : "S>C FA")
      .wire(c ? "S>C A" : "C>S A")
      .close(c ? 'S' : 'C')
      .wire(c ? "S>C FA" : "C>S FA")
      .wire(c ? "C>S A" : "S>C A");
}

TEST(Healthy, RequestAndReply) {
  for (const char first : {'C', 'S'}) {
    Story s;
    s.handshake().exchange();
    both_close(s, first).exits(kServerPid, 0).exits(kClientPid, 0).end();
    EXPECT_VERDICT(s, "none", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "nobody");
  }
}

TEST(Healthy, EndOfFileAfterTheReplyIsWhatTheClientWaitsFor) {
  Story s;
  s.handshake()
      .exchange()
      .close('S')
      .wire("S>C FA")
      .act('C', "recv-until-eof", {.bytes = 0, .outcome = "eof"})
      .close('C')
      .wire("C>S FA")
      .wire("S>C A")
      .end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, ReadUntilEndOfFileWithBytes) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .send('S', 5)
      .close('S')
      .wire("S>C FA")
      .act('C', "recv-until-eof", {.bytes = 5, .outcome = "5 bytes"})
      .close('C')
      .wire("C>S FA")
      .wire("S>C A")
      .end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, KeepAliveHttpByCallsOfAProgram) {
  Story s(Acts::calls);
  s.handshake()
      .exchange()
      .exchange()
      .exchange()
      .act('C', "close")
      .wire("C>S FA")
      .wire("S>C A")
      .recv_eof('S')
      .close('S')
      .wire("S>C FA")
      .wire("C>S A")
      .exits(kClientPid, 0)
      .end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, KeepAliveHttpByTheWireAlone) {
  Story s(Acts::none);
  s.off("syscalls")
      .handshake()
      .wire("C>S PA 1:100")
      .wire("S>C A")
      .wire("S>C PA 1:500")
      .wire("C>S A")
      .wire("C>S PA 100:200")
      .wire("S>C PA 500:900")
      .wire("C>S A");
  s.wire("C>S FA").wire("S>C FA").wire("C>S A").end();
  EXPECT_VERDICT(s, "none", "likely");
}

TEST(Healthy, ServerThatClosesAfterTheReply) {
  Story s(Acts::none);
  s.off("syscalls")
      .handshake()
      .wire("C>S PA 1:100")
      .wire("S>C PA 1:500")
      .wire("S>C FA")
      .wire("C>S A")
      .wire("C>S FA")
      .wire("S>C A")
      .end();
  EXPECT_VERDICT(s, "none", "likely");
}

TEST(Healthy, HalfClose) {
  Story s;
  s.handshake()
      .send('C', 6)
      .act('C', "shutdown write")
      .wire("C>S FA")
      .wire("S>C A")
      .act('S', "recv-until-eof", {.bytes = 6, .outcome = "6 bytes"});
  s.send('S', 5)
      .close('S')
      .wire("S>C FA")
      .recv('C', 5)
      .act('C', "recv-until-eof", {.bytes = 0, .outcome = "eof"})
      .wire("C>S A")
      .close('C')
      .end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, LostAndMadeGood) {
  Story s;
  s.handshake()
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .traced("C>S PA 1:7")
      .wait(210)
      .wire("C>S PA 1:7")
      .wire("S>C A")
      .recv('S', 6)
      .send('S', 5)
      .recv('C', 5);
  both_close(s).counter("TcpRetransSegs", 1).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, AnIdleConnectionCutShortByTheClient) {
  Story s;
  s.handshake().exchange().act('C', "sleep 1m", {.ms = 60000});
  s.close('C').wire("C>S FA").wire("S>C A").recv_eof('S').close('S').wire("S>C FA").wire("C>S A").end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, AClientThatNeverSpeaks) {
  Story s;
  s.handshake()
      .act('C', "sleep 1s", {.ms = 1000})
      .close('C')
      .wire("C>S FA")
      .wire("S>C A")
      .recv_eof('S')
      .close('S')
      .wire("S>C FA")
      .wire("C>S A")
      .end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, ARecvThatTimedOutAndThenSucceeded) {
  Story s;
  s.handshake().send('C', 6).recv_timeout('C', 50).recv('S', 6).send('S', 5).recv('C', 5);
  both_close(s).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, AServerThatStillWaitsForTheNextRequest) {
  Story s;
  s.handshake().exchange().close('C').wire("C>S FA").wire("S>C A").waiting('S', "accept").end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, StillOpenAtTheEnd) {
  Story s;
  s.handshake().exchange().waiting('C', "sleep 10s").waiting('S', "recv 64").end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, ALargeTransferInFoldedSegments) {
  Story s;
  s.handshake();
  evidence::Segment bulk{.device = "lo",
                         .source = *evidence::parse_address("127.0.0.1:45000"),
                         .target = *evidence::parse_address("127.0.0.1:8080"),
                         .flags = "A",
                         .seq = 100'001 + 65'000 * 999,
                         .ack = 900'001,
                         .length = 65'000,
                         .window = 512,
                         .ttl = 64,
                         .folded = 999};
  s.put(bulk);
  evidence::Segment ack{.device = "lo",
                        .source = bulk.target,
                        .target = bulk.source,
                        .flags = "A",
                        .seq = 900'001,
                        .ack = 100'001 + 65'000 * 1000U,
                        .window = 512,
                        .ttl = 64,
                        .folded = 499};
  s.put(ack).act('C', "send 65000000", {.bytes = 65'000'000}).recv('S', 65'000'000);
  s.put(evidence::Segment{.device = "lo",
                          .source = bulk.source,
                          .target = bulk.target,
                          .flags = "FA",
                          .seq = 165'100'001 - 100'000'000,
                          .ack = 900'001,
                          .window = 512,
                          .ttl = 64});
  s.close('C').end();
  EXPECT_VERDICT(s, "none", "confirmed");
  EXPECT_NE(s.verdict().because.at(0).text.find("65000000 bytes"), std::string::npos);
}

// On a machine that is far too slow, segments come twice and late.
TEST(Healthy, AResetBehindBothFinsAndAllThatWasSaid) {
  Story s;
  s.handshake().act('C', "send 12", {.bytes = 12}).wire("C>S PA 1:13").wire("C>S PA 1:13").wire("S>C A").recv('S', 12);
  s.act('S', "send 12", {.bytes = 12}).close('S').wire("S>C PA 1:13").wire("S>C FA").recv('C', 12).close('C');
  s.wire("S>C FA").wire("S>C PA 1:13").wire("C>S A").wire("C>S FA").wire("C>S R").exits(kClientPid, 0);
  s.counter("TcpOutRsts", 1).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, LookAlikeAResetInPlaceOfTheFin) {
  Story s;
  s.handshake().exchange(12, 12).close('S').wire("S>C FA").wire("S>C PA 1:13").wire("C>S R");
  s.counter("TcpOutRsts", 1).end();
  EXPECT_NE(s.verdict().cause, "none") << told(s.verdict());
}

TEST(Healthy, AFailureThatWasIgnored) {
  Story s;
  s.handshake().act('S', "open-files 20", {.error = EMFILE}).exchange();
  both_close(s).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

TEST(Healthy, ANonBlockingProgramThatTriesAgain) {
  Story s(Acts::calls);
  s.handshake()
      .recv_fails('S', EAGAIN)
      .send('C', 6)
      .recv('S', 6)
      .recv_fails('S', EAGAIN)
      .send('S', 5)
      .recv('C', 5)
      .act('S', "accept", {.error = EAGAIN});
  both_close(s).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

// Under a tracer, or on a busy machine, the call that need not wait takes milliseconds.
TEST(Healthy, ANonBlockingProgramThatIsSlowToTryAgain) {
  for (const std::int64_t ms : {1, 12, 400}) {
    Story s(Acts::calls);
    s.handshake().act('S', "recv 64", {.error = EAGAIN, .ms = ms}).exchange();
    s.act('S', "recv 64", {.error = EAGAIN, .ms = ms}).close('C').wire("C>S FA").wire("S>C A");
    s.act('S', "recv 64", {.bytes = 0}).close('S').wire("S>C FA").wire("C>S A").end();
    EXPECT_VERDICT(s, "none", "confirmed");
  }
}

// Of bulk in both directions, what stands for the segments that were left out may be an acknowledgement.
TEST(Healthy, BulkThatAnAcknowledgementStandsForIsCounted) {
  Story s;
  s.handshake();
  struct Told {
    bool out;
    const char* flags;
    std::uint32_t seq, ack, length, folded;
  };
  const auto put = [&](const Told& told) {
    const auto client = *evidence::parse_address("127.0.0.1:45000"),
               server = *evidence::parse_address("127.0.0.1:8080");
    s.put(evidence::Segment{.device = "lo",
                            .source = told.out ? client : server,
                            .target = told.out ? server : client,
                            .flags = told.flags,
                            .seq = told.seq + (told.out ? 100'001 : 900'001),
                            .ack = told.ack + (told.out ? 900'001 : 100'001),
                            .length = told.length,
                            .window = 512,
                            .ttl = 64,
                            .folded = told.folded});
  };
  for (const auto& told :
       {Told{true, "A", 0, 0, 1000, 0}, Told{true, "A", 5000, 0, 0, 5}, Told{false, "A", 0, 5000, 0, 0}})
    put(told);
  s.act('C', "send 5000", {.bytes = 5000}).recv('S', 5000);
  for (const auto& told :
       {Told{true, "FA", 5000, 0, 0, 0}, Told{false, "FA", 0, 5001, 0, 0}, Told{true, "A", 5001, 1, 0, 0}})
    put(told);
  s.end();
  EXPECT_NE(s.verdict().summary.find("after 5000 bytes and 0 bytes"), std::string::npos) << told(s.verdict());
}

}  // namespace
}  // namespace lab::verdict
