// The kernel had no room: the listen queue, the receive buffer. And what a queue says beside the calls.
#include <cerrno>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

Story overflow_at_first() {
  Story s;
  s.connected()
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .dropped("C>S PA 1:7", "TCP_LISTEN_OVERFLOW")
      .wait(200);
  return s;
}

Story overflow() {
  auto s = overflow_at_first();
  s.wire("C>S PA 1:7").wire("S>C SA 0 ack=1");
  s.socket('S', {.state = "SYN_RECV", .inode = 0})
      .listener("127.0.0.1:8080", 2, 1)
      .recv_timeout('C', 500)
      .counter("TcpExtListenOverflows", 2);
  return s;
}

TEST(AcceptQueue, AfterTheHandshake) {
  auto s = overflow().end();
  EXPECT_VERDICT(s, "limits/accept-queue", "confirmed");
}

TEST(AcceptQueue, WithEventsMissing) {
  for (const auto* source : {"wire", "sockets", "kernel", "counters", "actors"}) {
    auto s = overflow().end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "limits/accept-queue");
  }
}

// The queue got room when the client had given up: a repetition opened the connection for nobody.
Story opened_too_late() {
  return overflow()
      .wait(320)
      .wire("C>S PA 1:7")
      .wire("S>C A")
      .act('S', "accept")
      .socket('S', {.rq = 6, .pids = {kServerPid}});
}

TEST(AcceptQueue, OpenedWhenTheClientHadGivenUp) {
  auto s = opened_too_late().end();
  EXPECT_VERDICT(s, "limits/accept-queue", "confirmed");
}

TEST(AcceptQueue, OpenedTooLateAndTheKernelDoesNotSayWhatItDropped) {
  auto s = opened_too_late().end();
  s.drop_source("kernel");
  EXPECT_VERDICT(s, "limits/accept-queue", "likely");
}

TEST(AcceptQueue, LookAlikeOpenedInTimeByARepetition) {
  auto s = overflow_at_first();
  s.wire("C>S PA 1:7").wire("S>C A").socket('S', {.rq = 6, .inode = 0}).waiting('S', "sleep 5s");
  s.process(kServerPid, "sleeping").recv_timeout('C', 500).counter("TcpExtListenOverflows", 1).end();
  EXPECT_VERDICT(s, "application/not-accepting", "confirmed");
}

TEST(AcceptQueue, LookAlikeItWaitsInAQueueThatHadRoom) {
  Story s;
  s.waiting('S', "sleep 5s")
      .connected()
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 1:7")
      .wire("S>C A")
      .socket('S', {.rq = 6, .inode = 0});
  s.listener("127.0.0.1:8080", 1, 16)
      .process(kServerPid, "sleeping")
      .recv_timeout('C', 500)
      .counter("TcpExtListenOverflows", 3)
      .end();
  EXPECT_VERDICT(s, "application/not-accepting", "confirmed");
}

TEST(ReceiveBuffer, Typical) {
  Story s;
  s.handshake()
      .waiting('S', "recv-exactly 4096")
      .act('C', "send 4096", {.bytes = 4096})
      .wire("C>S PA 1:1001")
      .dropped("C>S PA 1:1001", "SOCKET_RCVBUFF");
  s.wait(210)
      .wire("C>S PA 1:1001")
      .dropped("C>S PA 1:1001", "SOCKET_RCVBUFF")
      .socket('S', {.pids = {kServerPid}, .options = "rcvbuf=1"})
      .recv_timeout('C', 500);
  s.counter("TcpExtTCPRcvQDrop", 2).end();
  EXPECT_VERDICT(s, "limits/receive-buffer", "confirmed");
}

// The server's queue was empty at one look; then bytes came, `ms` before the next.
struct Met {
  std::int64_t ms = 1;
  std::uint32_t earlier = 0;  // in the queue at the first look
  const char* step = "recv-exactly 4096";
  bool nothing = false;   // had come at the first look
  bool trickled = false;  // more came meanwhile
};
Story met_with_bytes(const Met& met) {
  Story s;
  s.handshake().waiting('S', met.step).act('C', "send 4096", {.bytes = 4096});
  if (!met.nothing) s.wire("C>S PA 1:1001").wire("S>C A win=0");
  s.wait(20).socket('S', {.rq = met.earlier, .pids = {kServerPid}});
  if (met.trickled) s.wait(100).wire("C>S PA 1001:1011").wire("S>C A win=0");
  s.wait(200).wire(met.nothing ? "C>S PA 1:2001" : met.trickled ? "C>S PA 1011:2001" : "C>S PA 1001:2001");
  s.wire("S>C A win=0").wait(met.ms).socket('S', {.rq = 1000, .pids = {kServerPid}});
  s.process(kServerPid, "sleeping").recv_timeout('C', 500);
  return s.counter("TcpExtTCPToZeroWindowAdv", 1).end();
}

TEST(ReceiveBuffer, MetBeforeItsReaderWasWoken) {
  auto s = met_with_bytes({});
  EXPECT_VERDICT(s, "limits/receive-buffer", "likely");
}

// A look before, in the same wait, had met the queue empty and the sender with more than the window holds.
struct Looked {
  std::int64_t waits = 500;  // ms; the looks are 250 and 50 before its end
  std::int64_t apart = 0;    // ms between the looks at the two ends
  std::uint32_t earlier = 0;
  const char* timer = "probe";
  bool late = false;  // both looks are behind the wait
};
Story looked_twice(const Looked& how) {
  Story s;
  s.handshake().waiting('S', "recv-exactly 4096").act('C', "send 4096", {.bytes = 4096});
  s.wire("C>S PA 1:1001").wire("S>C A win=500").wait(500);
  const Story::Act waited{.ms = 1, .ago = how.waits, .outcome = "timeout"};
  if (how.late) s.act('C', "recv 64", waited);
  s.socket('C', {.timer = how.timer, .not_sent = 3000, .pids = {kClientPid}, .send_window = 500}).wait(how.apart);
  s.socket('S', {.rq = how.earlier, .pids = {kServerPid}}).wait(199);
  s.wire("C>S PA 1001:1501").wire("S>C A win=500");
  s.socket('C', {.timer = "probe", .not_sent = 2500, .pids = {kClientPid}, .send_window = 500});
  s.socket('S', {.rq = 500, .pids = {kServerPid}}).process(kServerPid, "sleeping").wait(50);
  if (!how.late) s.act('C', "recv 64", waited);
  return s.end();
}

TEST(ReceiveBuffer, MetWithBytesAndEmptyBefore) {
  auto s = looked_twice({});
  EXPECT_VERDICT(s, "limits/receive-buffer", "confirmed");
}

// The look before had met bytes, too: its reader may have been kept from them since.
TEST(ReceiveBuffer, MetWithBytesTwice) {
  Story s;
  s.handshake().waiting('S', "recv-exactly 4096").act('C', "send 4096", {.bytes = 4096});
  s.wire("C>S PA 1:1001").wire("S>C A win=500").wait(300);
  for (const std::uint32_t queued : {0, 500, 700}) {
    if (queued == 500) s.wait(100).wire("C>S PA 1001:1501").wire("S>C A win=500");
    s.wait(10).socket('C', {.timer = "probe", .not_sent = 2500, .pids = {kClientPid}, .send_window = 500});
    s.socket('S', {.rq = queued, .pids = {kServerPid}});
  }
  s.process(kServerPid, "sleeping").wait(50).act('C', "recv 64", {.ms = 1, .ago = 400, .outcome = "timeout"}).end();
  EXPECT_VERDICT(s, "limits/receive-buffer", "likely");
}

TEST(ReceiveBuffer, MetWithBytesAndNotKnownToBeEmptyInTheWait) {
  for (const Looked& how : {Looked{.waits = 200}, Looked{.timer = "retransmit"}, Looked{.apart = 5}}) {
    auto s = looked_twice(how);
    EXPECT_VERDICT(s, "limits/receive-buffer", "likely");
  }
  for (const Looked& how : {Looked{.earlier = 400}, Looked{.late = true}}) {
    auto s = looked_twice(how);
    EXPECT_NE(std::string(name_of(s.verdict().status)), "confirmed") << told(s.verdict());
  }
}

// It was inside the read that then took them.
TEST(NotReading, AReaderThatWasWokenTooLate) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A").recv_timeout('C', 500);
  s.act('S', "recv 64", {.bytes = 6, .ago = 600}).process(kServerPid, "sleeping").end();
  EXPECT_VERDICT(s, "application/not-reading", "likely");
}

TEST(ReceiveBuffer, LookAlikeItsReaderHadTime) {
  for (const Met& met : {Met{.ms = 60}, Met{.trickled = true}, Met{.earlier = 1000}, Met{.nothing = true}}) {
    auto s = met_with_bytes(met);
    EXPECT_VERDICT(s, "application/not-reading", "likely");
  }
  auto elsewhere = met_with_bytes({.step = "sleep 5s"});
  EXPECT_VERDICT(elsewhere, "application/not-reading", "confirmed");
}

// TCP takes what a rule eats on its way out for a full queue: unsent, and the probe timer runs.
TEST(ReceiveBuffer, LookAlikeARuleEatsTheRestOfAReply) {
  Story s;
  s.handshake().act('S', "send 9000", {.bytes = 9000}).wire("S>C PA 1:1001").wire("C>S A");
  s.traced("S>C PA 1001:9001").wait(210).traced("S>C PA 1001:9001");
  s.socket('S', {.timer = "probe", .not_sent = 8000, .backoff = 1, .pids = {kServerPid}, .send_window = 4000})
      .socket('C', {.pids = {kClientPid}})
      .act('C', "recv 64", {.bytes = 1000})
      .recv_timeout('C', 500)
      .rule({}, 2)
      .end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

TEST(ReceiveBuffer, LookAlikeNotReading) {
  Story s;
  s.handshake()
      .act('C', "send 4096", {.bytes = 4096})
      .wire("C>S PA 1:1001")
      .wire("S>C A win=0")
      .wait(210)
      .waiting('S', "sleep 5s")
      .socket('S', {.rq = 1000, .pids = {kServerPid}});
  s.process(kServerPid, "sleeping").recv_timeout('C', 500).counter("TcpExtTCPToZeroWindowAdv", 1).end();
  EXPECT_VERDICT(s, "application/not-reading", "confirmed");
}

// recvmmsg tells messages, and some calls nobody sees: the queue says what was read.
TEST(Queues, KnowMoreThanCalls) {
  const auto waited_for = [](Story s, std::uint32_t queued) {
    s.socket('S', {.rq = queued, .pids = {kServerPid}}).process(kServerPid, "sleeping");
    look(s, "poll", "[3:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    return s.verdict().cause;
  };
  const auto unread = with_descriptors();
  auto all_read = with_descriptors();
  all_read.act('S', "recv 64", {.bytes = 6, .fd = 5});
  EXPECT_EQ(waited_for(unread, 6), "application/not-reading");
  EXPECT_EQ(waited_for(unread, 0), "application/not-answering");
  EXPECT_EQ(waited_for(all_read, 0), "application/not-answering");
  EXPECT_EQ(waited_for(all_read, 6), "application/not-reading") << "MSG_PEEK looks, and takes nothing away";
}

// splice() reads from the descriptor that it names first, and writes to the other (man 2 splice).
TEST(Spliced, FromAConnectionItReads) {
  for (const auto* args : {"5, 7, 65536", "7, 5, 65536", "5, ? [3 more like it, 4 bytes]"}) {
    auto s = with_descriptors();
    s.drop_source("sockets").put(evidence::Call{.pid = kServerPid,
                                                .tid = kServerPid,
                                                .name = "splice",
                                                .args = args,
                                                .result = args[3] == '?' ? 2 : 6,
                                                .start_ns = s.now(),
                                                .fd = 5,
                                                .local = *evidence::parse_address("127.0.0.1:8080"),
                                                .peer = *evidence::parse_address("127.0.0.1:45000")});
    s.process(kServerPid, "sleeping");
    look(s, "poll", "[3:POLLIN], 1, 500ms", 0).act('C', "close", {.fd = 3}).wire("C>S FA").wire("S>C A").end();
    EXPECT_EQ(s.verdict().cause == "application/not-answering", args[0] == '5') << args << told(s.verdict());
  }
}

// Whether for bytes or for room in its pipe (do_splice, fs/splice.c) is not told.
TEST(Spliced, ItMayWaitForItsPipe) {
  auto s = with_descriptors();
  s.act('S', "recv 64", {.bytes = 6, .fd = 5});
  const auto began = s.now();
  s.act('S', "send 5", {.bytes = 5, .fd = 5}).wire("S>C PA 1:6").wire("C>S A").wait(500);
  s.socket('C', {.rq = 5, .pids = {kClientPid}}).waiting('S', "recv 64").process(kServerPid, "sleeping");
  s.put(evidence::Call{.pid = kClientPid,
                       .tid = kClientPid,
                       .name = "splice",
                       .args = "3, 7, 65536",
                       .returned = false,
                       .start_ns = began,
                       .fd = 3,
                       .local = *evidence::parse_address("127.0.0.1:45000"),
                       .peer = *evidence::parse_address("127.0.0.1:8080")});
  s.end();
  EXPECT_NE(s.verdict().status, Status::confirmed) << told(s.verdict());
}

}  // namespace
}  // namespace lab::verdict
