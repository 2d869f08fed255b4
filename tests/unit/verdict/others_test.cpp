// Of several processes or threads: what befell one that had nothing to do with the connection.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

constexpr int kChild = 21;

// The parent accepted, left the connection to its child, and is stopped; the child does not read.
Story stopped(bool let_go) {
  Story s;
  s.handshake().started(kChild, "server");
  if (let_go) s.close('S');
  s.wait(10).socket('S', {.when = "change", .pids = {kChild}}).send('C', 6).wait(50).process(kServerPid, "stopped");
  s.process(kChild, "sleeping").socket('S', {.rq = 6, .pids = {kChild}}).recv_timeout('C', 1000);
  return std::move(s.process(kServerPid, "stopped").process(kChild, "sleeping").end());
}

TEST(Others, OneIsStoppedThatHadLetGo) {
  auto s = stopped(true);
  EXPECT_NE(s.verdict().cause, "application/stopped") << told(s.verdict());
}

TEST(Others, OneIsStoppedAndAnotherThatHoldsItRuns) {
  auto s = stopped(false);
  EXPECT_VERDICT(s, "application/stopped", "likely");
}

TEST(Others, AnotherThreadsFailure) {
  for (const int closes : {kServerPid, kServerPid + 1}) {
    Story s(Story::Acts::calls);
    s.handshake().send('C', 6).act('S', "recv 64", {.bytes = 6, .tid = closes});
    s.act('S', "openat", {.error = EMFILE, .tid = kServerPid, .bare = true}).limit(kServerPid, "nofile", 7, 7);
    s.act('S', "close", {.tid = closes}).wire("S>C FA").wire("C>S A").recv_eof('C').end();
    EXPECT_VERDICT(s, "limits/descriptors", closes == kServerPid ? "confirmed" : "likely");
  }
}

// Its accept had failed once, before the connection was there; it went on with those that it had.
TEST(Others, AnAcceptThatFailedBefore) {
  for (const bool got_on : {true, false}) {
    Story s;
    s.from("127.0.0.1:44000").handshake().exchange().act('S', "accept", {.error = EMFILE, .bare = true});
    s.limit(kServerPid, "nofile", 16, 16);
    if (got_on) s.wait(100).exchange().wait(100);
    s.from("127.0.0.1:45000").connected().send('C', 6).waiting('S', "sleep 5s", true).process(kServerPid, "sleeping");
    s.listener("127.0.0.1:8080", 1, 16).socket('S', {.rq = 6, .inode = 0}).recv_timeout('C', 1000);
    s.listener("127.0.0.1:8080", 1, 16).end();
    EXPECT_EQ(s.verdict().status == Status::confirmed && s.verdict().cause == "limits/descriptors", !got_on)
        << told(s.verdict());
  }
}

// The kernel had killed another process of its group for memory, long before.
TEST(Others, AnotherWasKilledForMemory) {
  enum class Told { long_before, when_it_was, soon_after };
  for (const auto moment : {Told::long_before, Told::when_it_was, Told::soon_after}) {
    Story s;
    const auto now = [&](Told when) {
      if (when == moment) s.changed("cgroup-oom-kill", "server");
    };
    s.handshake().send('C', 6).recv('S', 6);
    now(Told::long_before);
    s.wait(2000).signal(SIGKILL, kServerPid, 0, true);
    now(Told::when_it_was);
    s.killed(kServerPid, SIGKILL).wire("S>C FA").wire("C>S A").recv_eof('C').wait(20);
    now(Told::soon_after);
    s.end();
    EXPECT_VERDICT(s, moment == Told::long_before ? "application/killed" : "limits/memory", "confirmed");
  }
}

// Peeking takes nothing away.
TEST(Others, WhatWasOnlyLookedAtIsUnread) {
  for (const char* flags : {"MSG_PEEK", "0"}) {
    Story s(Story::Acts::calls);
    s.handshake().send('C', 6);
    evidence::Call look{.pid = kServerPid, .tid = kServerPid, .name = "recvfrom"};
    look.args = std::string("5, 64, ") + flags;
    look.result = 6;
    look.start_ns = s.now();
    look.local = *evidence::parse_address("127.0.0.1:8080");
    look.peer = *evidence::parse_address("127.0.0.1:45000");
    s.put(look);
    s.waiting('S', "futex", true).process(kServerPid, "sleeping").recv_timeout('C', 1000).end();
    s.drop_source("sockets");
    const auto* cause = std::string(flags) == "0" ? "application/not-answering" : "application/not-reading";
    EXPECT_EQ(s.verdict().cause, cause) << told(s.verdict());
  }
}

// Whoever is inside a read to the end, or fails behind one in vain, may have been owed more.
TEST(Others, ALookForMoreIsNotSurelyHealthy) {
  Story pending;
  pending.handshake().exchange().waiting('C', "recv 64").end();
  EXPECT_VERDICT(pending, "none", "likely");
  for (const int status : {0, 1}) {
    Story s;
    s.handshake().exchange().recv_timeout('C', 2000).exits(kClientPid, status).end();
    EXPECT_VERDICT(s, "none", status ? "likely" : "confirmed");
  }
}

TEST(Others, AServerThatFailsInTheMiddleOfItsAnswer) {
  for (const int status : {0, 1}) {
    Story s;
    s.handshake().exchange().exits(kServerPid, status).wire("S>C FA").wire("C>S A").recv_eof('C');
    s.close('C').wire("C>S FA").wire("S>C A").exits(kClientPid, 0).end();
    EXPECT_NE(s.verdict().cause == "none" && s.verdict().status == Status::confirmed, status != 0) << told(s.verdict());
  }
}

}  // namespace
}  // namespace lab::verdict
