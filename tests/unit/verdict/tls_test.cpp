// Fatal alerts behind the hellos: who broke the session off, however the connection then ended.
#include <cerrno>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

constexpr const char *kFatal = "15030300020230", *kCloseNotify = "15030300020100", *kEncrypted = "17030300020230";

// Both hellos, each read.
Story greeted(const std::string& answer = "160303007a02") {
  Story s;
  s.handshake().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7 head=16030100c901").recv('S', 6);
  return s.act('S', "send 6", {.bytes = 6}).wire("S>C PA 1:7 head=" + answer).wire("C>S A").recv('C', 6);
}

Story& alerts(Story& s, char who, const std::string& alert) {
  s.act(who, "send 7", {.bytes = 7});
  return s.wire((who == 'C' ? "C>S PA 7:14 head=" : "S>C PA 7:14 head=") + alert).wire(who == 'C' ? "S>C A" : "C>S A");
}

// Records in the clear nowhere but in the hellos.
Story& sends(Story& s, char who) {
  s.act(who, "send 9", {.bytes = 9});
  return s.wire(who == 'C' ? "C>S PA 7:16" : "S>C PA 7:16").wire(who == 'C' ? "S>C A" : "C>S A");
}

Story& closes_unread(Story& s, char who) {
  s.close(who).built(who, "TCP_ABORT_ON_CLOSE", "ESTABLISHED").wire(who == 'C' ? "C>S RA" : "S>C RA");
  s.recv_fails(who == 'C' ? 'S' : 'C', ECONNRESET);
  return s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
}

void expect_unread(Story& s, char who, bool alerted) {
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, who == 'C' ? "client" : "server");
  EXPECT_EQ(s.verdict().summary.find("closed after a fatal TLS alert with 9 bytes unread") != std::string::npos,
            alerted)
      << told(s.verdict());
}

TEST(TlsAlert, WhoSendsOneAndClosesOverUnreadBytes) {
  for (const char who : {'C', 'S'}) {
    auto s = greeted();
    sends(s, who == 'C' ? 'S' : 'C');
    expect_unread(closes_unread(alerts(s, who, kFatal), who), who, true);
  }
}

TEST(TlsAlert, WhoAnswersTheHelloWithOneAndClosesOverUnreadBytes) {
  auto s = greeted(kFatal);
  expect_unread(closes_unread(sends(s, 'C'), 'S'), 'S', true);
}

TEST(TlsAlert, LookAlikeAGoodbyeSomethingEncryptedOrNoTls) {
  for (const auto* record : {kCloseNotify, kEncrypted}) {
    auto s = greeted();
    expect_unread(closes_unread(alerts(sends(s, 'S'), 'C', record), 'C'), 'C', false);
  }
  auto plain = greeted("485454502f31");
  expect_unread(closes_unread(alerts(sends(plain, 'S'), 'C', kFatal), 'C'), 'C', false);
}

// The alert is what lies unread.
TEST(TlsAlert, LookAlikeTheOtherEndSentIt) {
  auto s = greeted();
  closes_unread(alerts(s, 'S', kFatal), 'C');
  EXPECT_VERDICT(s, "application/closed-unread", "confirmed");
  EXPECT_EQ(s.judge().connections[0].by, "client");
  EXPECT_EQ(s.verdict().summary.find("fatal"), std::string::npos) << told(s.verdict());
}

Story& ends(Story& s, char who) {
  const bool client = who == 'C';
  s.close(who).wire(client ? "C>S FA" : "S>C FA").act(client ? 'S' : 'C', "recv-exactly 64", {.bytes = 0});
  return s.close(client ? 'S' : 'C').wire(client ? "S>C FA" : "C>S FA").end();
}

TEST(TlsAlert, WhoSendsOneAndClosesIsToldBoth) {
  for (const bool fatal : {true, false}) {
    auto s = greeted();
    sends(s, 'C').recv('S', 9);
    ends(alerts(s, 'S', fatal ? kFatal : kCloseNotify), 'S');
    EXPECT_VERDICT(s, "application/closed", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, "server");
    const auto* text = fatal ? ", with a fatal TLS alert;" : ", both speaking TLS;";
    EXPECT_NE(s.verdict().summary.find(text), std::string::npos) << told(s.verdict());
  }
}

// The other end has to close then: the one that alerted did it (RFC 8446, 6.2).
TEST(TlsAlert, OneThatTheOtherEndClosesOver) {
  for (const bool fatal : {true, false}) {
    auto s = greeted();
    sends(s, 'C').recv('S', 9);
    ends(alerts(s, 'S', fatal ? kFatal : kCloseNotify).recv('C', 7), 'C');
    EXPECT_VERDICT(s, "application/closed", "confirmed");
    EXPECT_EQ(s.judge().connections[0].by, fatal ? "server" : "client");
    EXPECT_EQ(s.verdict().summary.find("The server broke the TLS session off with a fatal alert") == 0, fatal)
        << told(s.verdict());
  }
}

// It was told by the alert, and read it: nobody was owed bytes, and no session came about.
TEST(TlsAlert, WhoIsSentOneGotNoSession) {
  for (const bool client_first : {false, true})
    for (const bool fatal : {true, false}) {
      auto s = greeted();
      alerts(sends(s, 'C'), 'S', fatal ? kFatal : kCloseNotify);
      s.recv('S', 9).recv('C', 7);
      if (!client_first) s.close('S').wire("S>C FA").wire("C>S A").recv_eof('C');
      s.close('C').wire("C>S FA").wire("S>C A");
      if (client_first) s.recv_eof('S').close('S').wire("S>C FA").wire("C>S A");
      s.end();
      EXPECT_EQ(s.verdict().cause, fatal ? "application/closed" : "none") << told(s.verdict());
      if (fatal) {
        EXPECT_EQ(s.judge().connections[0].by, "server");
      }
    }
}

}  // namespace
}  // namespace lab::verdict
