// Every step on a connection, with its exact outcome.
#include "troupe.hpp"

namespace lab::test {
namespace {

using namespace std::chrono_literals;

TEST(Connection, GreetsAndAnswers) {
  Troupe troupe({server({"accept", "recv 64", "send 'Hello Client'", "close"}),
                 client({"connect", "send 'Hello Server'", "recv", "recv", "close"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv 12 bytes, send 12 bytes, close ok");
  EXPECT_EQ(troupe.told(1), "connect ok, send 12 bytes, recv 12 bytes, recv eof, close ok");
  EXPECT_EQ(troupe.status(0), 0);
  EXPECT_EQ(troupe.status(1), 0);
}

TEST(Connection, RefusedEndsTheSteps) {
  Troupe troupe({client({"connect 127.0.0.1:9", "send 'x'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "connect ECONNREFUSED, send not reached");
  EXPECT_EQ(troupe.status(0), 0);
}

TEST(Connection, FailedReceiveEndsNothing) {
  Troupe troupe({server({"accept", "reset"}), client({"connect", "recv", "send 'x'", "send 'x'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, recv ECONNRESET, send EPIPE, send EPIPE");
}

TEST(Connection, TimeoutsAreEachStepsOwn) {
  Troupe troupe({server({"accept", "recv timeout=50ms", "send 'now'", "recv"}),
                 client({"connect", "recv", "recv timeout=20ms", "send 'x'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv timeout, send 3 bytes, recv 1 bytes");
  EXPECT_EQ(troupe.told(1), "connect ok, recv 3 bytes, recv timeout, send 1 bytes, recv eof");
}

TEST(Connection, AcceptTimeoutEndsTheSteps) {
  Troupe troupe({server({"accept timeout=20ms", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept timeout, recv not reached");
}

TEST(Connection, AcceptsTimeoutIsNotTheConnections) {
  Troupe troupe({server({"accept timeout=5s", "signal accepted-in-time", "recv"}),
                 client({"connect", "wait accepted-in-time", "sleep 50ms", "send 'x'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, signal ok, recv 1 bytes");
}

TEST(Connection, ReceivesExactly) {
  Troupe troupe(
      {server({"accept", "recv-exactly 10", "recv-exactly 10", "recv-exactly 10 timeout=50ms"}),
       client({"connect", "send 'abcde'", "sleep 20ms", "send 'fghij'", "send 'xyz'", "shutdown write", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv-exactly 10 bytes, recv-exactly eof, recv-exactly eof");
  EXPECT_EQ(troupe[0].report()[2].record.bytes, 3);
}

TEST(Connection, ReceivesExactlyUntilTheTimeout) {
  Troupe troupe({server({"accept", "recv-exactly 10 timeout=50ms", "signal exactly-over"}),
                 client({"connect", "send 'abc'", "wait exactly-over"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv-exactly timeout, signal ok");
  EXPECT_EQ(troupe[0].report()[1].record.bytes, 3);
}

TEST(Connection, CarriesBulk) {
  Troupe troupe({server({"accept", "recv-until-eof"}), client({"connect", "send 3MiB", "send 1MiB"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv-until-eof 4194304 bytes");
  EXPECT_EQ(troupe.told(1), "connect ok, send 3145728 bytes, send 1048576 bytes");
}

TEST(Connection, UntilEofOfNothing) {
  Troupe troupe({server({"accept", "recv-until-eof"}), client({"connect", "shutdown write"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv-until-eof eof");
  EXPECT_EQ(troupe[0].report()[1].record.got_ns, 0);
}

// The end of file comes when the client has waited for nothing.
TEST(Connection, UntilEofTellsWhenTheLastBytesCame) {
  Troupe troupe({server({"accept", "recv-until-eof"}),
                 client({"connect", "send 'abc'", "recv timeout=50ms", "send 'def'", "recv timeout=50ms"})});
  troupe.play();
  const auto read = troupe[0].report()[1].record, last = troupe[1].report()[3].record;
  EXPECT_EQ(read.bytes, 6);
  EXPECT_GE(read.got_ns, last.start_ns);
  EXPECT_LE(read.got_ns, read.end_ns);
}

TEST(Connection, ExpectsATextAndNoMore) {
  Troupe troupe(
      {server({"accept", "expect 'GET /\\r\\n'", "recv"}), client({"connect", "send 'GET /\\r\\nrest'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, expect ok, recv 4 bytes");
}

TEST(Connection, MismatchEndsTheSteps) {
  Troupe troupe({server({"accept", "expect 'GET '", "send 'never'"}), client({"connect", "send 'HELO'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, expect mismatch, send not reached");
  EXPECT_EQ(troupe.told(1), "connect ok, send 4 bytes, recv eof");
}

TEST(Connection, ExpectMeetsTheEnd) {
  Troupe troupe({server({"accept", "expect 'GET '", "send 'never'"}), client({"connect", "send 'GE'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, expect eof, send not reached");
}

TEST(Connection, WaitsForUnreadBytes) {
  Troupe troupe({server({"accept", "wait-unread 6", "recv 3", "wait-unread 3", "recv"}),
                 client({"connect", "send 'abc'", "sleep 20ms", "send 'def'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, wait-unread ok, recv 3 bytes, wait-unread ok, recv 3 bytes");
}

TEST(Connection, WaitsForUnreadBytesThatNeverCome) {
  Troupe troupe({server({"accept", "wait-unread 6", "recv"}), client({"connect", "send 'abc'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, wait-unread eof, recv 3 bytes");
}

TEST(Connection, ClosedWithBytesUnreadIsReset) {
  Troupe troupe(
      {server({"accept", "wait-unread 5", "close"}), client({"connect", "send 'hello'", "recv", "send 'x'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, send 5 bytes, recv ECONNRESET, send EPIPE");
}

TEST(Connection, HalfCloses) {
  Troupe troupe({server({"accept", "recv", "recv", "send 'late'", "shutdown both", "send 'x'"}),
                 client({"connect", "send 'early'", "shutdown write", "recv", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv 5 bytes, recv eof, send 4 bytes, shutdown ok, send EPIPE");
  EXPECT_EQ(troupe.told(1), "connect ok, send 5 bytes, shutdown ok, recv 4 bytes, recv eof");
}

TEST(Connection, ShutdownReadReadsNothing) {
  Troupe troupe({server({"accept", "recv"}), client({"connect", "shutdown read", "recv", "send 'x'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, shutdown ok, recv eof, send 1 bytes");
}

TEST(Connection, NumberStaysAfterClose) {
  Troupe troupe(
      {server({"accept", "recv"}), client({"connect", "close", "close", "recv", "send 'x'", "shutdown write"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, close ok, close EBADF, recv EBADF, send EBADF, shutdown EBADF");
}

TEST(Connection, NamesAndUse) {
  Troupe troupe({server({"accept as=one", "accept as=two", "send 'two'", "use one", "send 'one'", "close two", "recv"}),
                 client({"connect as=a", "connect as=b", "recv 9", "recv", "use a", "recv 9", "send 'x'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, accept ok, send 3 bytes, use ok, send 3 bytes, close ok, recv 1 bytes");
  EXPECT_EQ(troupe.told(1), "connect ok, connect ok, recv 3 bytes, recv eof, use ok, recv 3 bytes, send 1 bytes");
}

TEST(Connection, RelayCarriesBothWaysAndEnds) {
  auto proxy = acting(Role::proxy, {"accept as=front", "connect 127.0.0.1:8080 as=back", "relay front back"});
  proxy.listen = scenario::Endpoint{"127.0.0.1", 8081};
  Troupe troupe({server({"accept", "recv-exactly 100000", "send 200KiB", "recv"}), proxy,
                 client({"connect 127.0.0.1:8081", "send 100000", "recv-exactly 200KiB", "close"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv-exactly 100000 bytes, send 204800 bytes, recv eof");
  EXPECT_EQ(troupe.told(1), "accept ok, connect ok, relay 304800 bytes");
  EXPECT_EQ(troupe.told(2), "connect ok, send 100000 bytes, recv-exactly 204800 bytes, close ok");
}

TEST(Connection, RelayTellsWhichCallFailed) {
  auto proxy = acting(Role::proxy, {"accept as=front", "connect 127.0.0.1:8080 as=back", "relay front back"});
  proxy.listen = scenario::Endpoint{"127.0.0.1", 8081};
  Troupe troupe({server({"accept", "recv", "reset"}), proxy, client({"connect 127.0.0.1:8081", "send 'x'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "accept ok, connect ok, relay ECONNRESET");
}

TEST(Connection, ListenerClosedUnderTheQueue) {
  Troupe troupe({server({"wait both-connected", "close-listener", "accept"}),
                 client({"connect", "signal both-connected", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "wait ok, close-listener ok, accept EBADF");
  EXPECT_EQ(troupe.told(1), "connect ok, signal ok, recv ECONNRESET");
}

TEST(Connection, EndOfStepsClosesNothingItself) {
  Troupe troupe({server({"accept", "recv"}), client({"connect"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv eof");
}

TEST(Connection, KnowsBothEnds) {
  Troupe troupe({server({"accept", "recv"}), client({"connect", "send 'x'"})});
  troupe.play();
  const auto accepted = troupe[0].report()[1].record, sent = troupe[1].report()[1].record;
  EXPECT_EQ(accepted.local_port, 8080);
  EXPECT_EQ(sent.peer_port, 8080);
  EXPECT_NE(sent.local_port, 0);
  EXPECT_EQ(accepted.peer_port, sent.local_port);
  EXPECT_EQ(accepted.local_family, 4);
  EXPECT_EQ(std::to_string(accepted.peer_ip[0]) + "." + std::to_string(accepted.peer_ip[3]), "127.1");
  EXPECT_LE(accepted.start_ns, accepted.end_ns);
}

TEST(Connection, SixIsAFamilyToo) {
  auto six = server({"accept", "recv"});
  six.listen = scenario::Endpoint{"::1", 8080};
  Troupe troupe({six, client({"connect [::1]:8080", "send 'x'"}), client({"connect"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, recv 1 bytes");
  EXPECT_EQ(troupe.told(2), "connect ECONNREFUSED");
  EXPECT_EQ(troupe[0].report()[0].record.peer_family, 6);
}

TEST(Connection, BlockedConnectKnowsItsPeer) {
  auto full = server({"wait nobody-signals-this"});
  full.backlog = 0;
  // A queue of one: the first sits in it, the next one's SYN is dropped.
  Troupe troupe({full, client({"connect", "signal queue-is-full", "sleep 300ms"}),
                 client({"wait queue-is-full", "connect timeout=100ms", "send 'x'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(2), "wait ok, connect timeout, send not reached");
  EXPECT_EQ(troupe[2].report()[1].record.peer_port, 8080);
}

TEST(Connection, LingerIsKnownAsAWishForAReset) {
  Troupe troupe({server({"accept", "option linger 0", "close"}), client({"connect", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, recv ECONNRESET");
  const auto steps = troupe[0].report();
  EXPECT_FALSE(steps[0].record.linger_reset);
  EXPECT_TRUE(steps[1].record.linger_reset);
  EXPECT_TRUE(steps[2].record.linger_reset);
}

}  // namespace
}  // namespace lab::test
