// What a rule or the kernel ate on its way, and whether somebody missed it.
#include <cerrno>
#include <csignal>

#include "unit/verdict/descriptors.hpp"

namespace lab::verdict {
namespace {

const Story::Rule kIn{.hook = "input", .text = "tcp dport 8080 drop"};
const Story::Rule kOut{.hook = "output", .text = "tcp sport 8080 drop"};

// An end that is owed nothing runs into its receive timeout, and reads what it waited for after all.
TEST(Eaten, AnEatenAckThatWasMadeGoodHarmsNobody) {
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

TEST(Eaten, AnEatenFinThatWasMadeGoodHarmsNobody) {
  Story s;
  s.handshake().exchange().close('S').traced("S>C FA", kOut).recv_timeout('C', 150).wait(50).wire("S>C FA");
  s.wire("C>S A").recv_eof('C').close('C').wire("C>S FA").wire("S>C A").rule(kOut, 1).end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

// What is missing is an answer that nobody has written yet.
TEST(Eaten, ASlowServerAndOneEatenAck) {
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

TEST(Eaten, ASlowServerAndOneEatenProbe) {
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
TEST(Eaten, AProbeIsNotWhatTcpGaveUpOn) {
  Story s;
  s.handshake().exchange().waiting('S', "recv 64").process(kServerPid, "sleeping").traced("C>S A 6", kIn).wait(300);
  s.act('C', "send 6", {.bytes = 6});
  for (const int ms : {200, 400, 10}) s.wire("C>S PA 7:13").wait(ms);
  s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 400}).wait(10).wire("S>C A").rule(kIn, 1).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
}

// The parent lets go at once, and the child ends it later.
TEST(Eaten, AConnectionLeftToAChildIsHealthy) {
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

// Healthy, the server not traced: its FIN, or bytes nobody waited for, were eaten once behind the client's idle look.
TEST(Eaten, HealthyWithAnUntracedServer) {
  for (const int later : {0, 1000})
    for (const bool fin : {true, false}) {
      Story s;
      s.connected().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A").wire("S>C PA 1:6").wire("C>S A");
      s.recv('C', 5).recv_timeout('C', 150).wait(later);
      if (fin) s.close('C').wire("C>S FA").wire("S>C A").traced("S>C FA", kOut).wait(200).wire("S>C FA").wire("C>S A");
      if (!fin) {
        s.act('C', "shutdown").wire("C>S FA").wire("S>C A").traced("S>C PA 6:11", kOut).wait(200).wire("S>C PA 6:11");
        s.wire("C>S A").close('C').wire("S>C FA").wire("C>S A");
      }
      s.rule(kOut, 1).end();
      EXPECT_VERDICT(s, "none", "confirmed");
    }
}

// A slow server that is not traced; its answer comes when the client has given up, and is eaten once.
TEST(Eaten, ASlowUntracedServersLateAnswerEatenOnce) {
  Story s;
  s.connected().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A").recv_timeout('C', 150).wait(10);
  s.traced("S>C PA 1:6", kOut).wait(200).wire("S>C PA 1:6").wire("C>S A").close('C').wire("C>S RA").rule(kOut, 1).end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-answering");
}

// The end of file is that of its own shutdown: what it had waited for was eaten to the end.
TEST(Eaten, TheEndOfItsOwnReadingMendsNothing) {
  for (const char who : {'S', 'C'}) {
    const bool server = who == 'S';
    const auto& rule = server ? kIn : kOut;
    const auto* bytes = server ? "C>S PA 7:13" : "S>C PA 6:11";
    Story s;
    s.handshake().exchange().act(server ? 'C' : 'S', server ? "send 6" : "send 5", {.bytes = server ? 6 : 5});
    for (int i = 0; i < 3; ++i) s.traced(bytes, rule).wait(100);
    s.recv_timeout(who, 500).act(who, "shutdown both").wire(server ? "S>C FA" : "C>S FA");
    s.wire(server ? "C>S A" : "S>C A").recv_eof(who).close(who).rule(rule, 3).end();
    EXPECT_VERDICT(s, "firewall/drop", "confirmed");
  }
}

// One ACK of a stream was eaten, and the next one said the same; much later the path dies.
TEST(Eaten, OneAckOfAStreamIsNotWhatEndedIt) {
  for (const char* client : {"127.0.0.1:45000", "127.0.0.1:45230"})
    for (const char* reason : {"XDP", "NETFILTER_DROP"}) {
      Story s;
      s.from(client).handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").dropped("S>C A", reason);
      if (*reason == 'N') s.traced("S>C A", kOut);
      s.act('C', "send 12", {.bytes = 12}).wire("C>S PA 7:13").wire("C>S PA 13:19").wire("S>C A ack=13");
      s.act('C', "send 6", {.bytes = 6}).wire("C>S PA 19:25").wire("S>C A ack=19").recv('S', 18);
      s.waiting('S', "recv 64").process(kServerPid, "sleeping");
      for (int i = 0; i < 4; ++i) s.wait(200).wire("C>S PA 19:25");
      s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 900}).end();
      EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
    }
}

// The server is killed and its FIN eaten; its end is told when it is reaped, behind the client's timeout.
TEST(Eaten, AKilledServersFinEaten) {
  Story s;
  s.handshake().exchange().send('C', 6).recv('S', 6).signal(SIGKILL, kServerPid, kProxyPid);
  for (int i = 0; i < 3; ++i) s.traced("S>C FA", kOut).wait(100);
  s.recv_timeout('C', 500).wait(50).killed(kServerPid, SIGKILL).rule(kOut, 3).end();
  EXPECT_VERDICT(s, "firewall/drop", "confirmed");
}

// The server reads on; that its window is open again, and the answers to the client's probes, are eaten.
TEST(Eaten, WindowUpdatesThatAreEaten) {
  for (const bool rule : {false, true}) {
    Story s;
    s.handshake().act('C', "send 1000", {.bytes = 1000}).wire("C>S PA 1:1001").wire("S>C A win=0");
    s.act('S', "recv 1000", {.bytes = 1000}).waiting('S', "recv 1000").process(kServerPid, "sleeping");
    for (int i = 0; i < 4; ++i) {
      if (i) s.wait(200).wire("C>S A 1000");
      rule ? s.traced("S>C A", kOut) : s.dropped("S>C A", "XDP");
    }
    s.act('C', "send 1000", {.ms = 600, .outcome = "timeout"});
    if (rule) s.rule(kOut, 4);
    s.end();
    EXPECT_NOT_WRONGLY_CONFIRMED(s, rule ? "firewall/drop" : "kernel/bpf");
  }
}

// Of five answers that did not come one was eaten: the rest is silence.
TEST(Eaten, OneEatenAckOfManyThatDidNotCome) {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").traced("S>C A", kOut);
  for (int i = 0; i < 4; ++i) s.wait(200).wire("C>S PA 1:7");
  s.recv('S', 6).waiting('S', "sleep 9s").process(kServerPid, "sleeping");
  s.act('C', "recv 64", {.error = ETIMEDOUT, .ms = 900}).wait(50).wire("S>C A").wire("C>S R 7").end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "network/peer-silent");
}

}  // namespace
}  // namespace lab::verdict
