// Limits of a process or a group, and what looks like them.
#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

using Acts = Story::Acts;

// accept fails, the server gives up and ends: its un-accepted connection is reset.
Story accept_fails(int error, bool filtered) {
  Story s;
  s.connected().send('C', 12);
  if (filtered) s.filter(kServerPid, "accept4", "errno", error);
  s.act('S', "accept", {.error = error});
  if (!filtered) s.limit(kServerPid, "nofile", 16, 16);
  s.built('S', "TCP_STATE", "CLOSE")
      .wire("S>C RA")
      .exits(kServerPid, 0)
      .recv_fails('C', ECONNRESET)
      .counter("TcpOutRsts", 1);
  return s;
}

TEST(Descriptors, Typical) {
  auto s = accept_fails(EMFILE, false).end();
  EXPECT_VERDICT(s, "limits/descriptors", "confirmed");
  EXPECT_EQ(s.verdict().culprit.name, "nofile");
  EXPECT_EQ(s.judge().connections[0].by, "server");
}

TEST(Descriptors, LookAlikeAFilterSaysTheSame) {
  auto s = accept_fails(EMFILE, true).end();
  EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  s.drop_source("filters");
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "seccomp/errno");
}

// The spare descriptor is let go of, and what accept then gets is closed at once.
TEST(Descriptors, ASpareOneToRefuseWith) {
  Story s(Acts::calls);
  s.connected().send('C', 12).act('S', "accept", {.error = EMFILE}).limit(kServerPid, "nofile", 16, 16);
  s.act('S', "accept", {.fd = 5}).act('S', "close", {.fd = 5}).wire("S>C RA").recv_fails('C', ECONNRESET);
  s.counter("TcpOutRsts", 1).counter("TcpExtTCPAbortOnClose", 1).end();
  EXPECT_VERDICT(s, "limits/descriptors", "confirmed");
}

// A want that passed: what was accepted was served.
TEST(Descriptors, LookAlikeItServedWhatItAcceptedInTheEnd) {
  Story s(Acts::calls);
  s.connected().send('C', 12).act('S', "accept", {.error = EMFILE}).act('S', "accept", {.fd = 5});
  s.act('S', "recv 64", {.bytes = 12, .fd = 5}).act('S', "close", {.fd = 5}).wire("S>C FA").recv_eof('C').end();
  EXPECT_NE(s.verdict().cause, "limits/descriptors") << told(s.verdict());
}

TEST(Descriptors, AHangWhileTheServerSpins) {
  Story s(Acts::calls);
  s.connected()
      .send('C', 12)
      .act('S', "accept", {.error = EMFILE})
      .act('S', "accept", {.error = EMFILE})
      .limit(kServerPid, "nofile", 16, 16);
  s.socket('S', {.rq = 12, .inode = 0}).recv_timeout('C', 500).close('C').wire("C>S FA").wire("S>C A").end();
  EXPECT_VERDICT(s, "limits/descriptors", "confirmed");
}

TEST(Descriptors, WithEventsMissing) {
  for (const auto* source : {"wire", "sockets", "limits", "filters", "actors", "kernel", "counters"}) {
    auto s = accept_fails(EMFILE, false).end();
    s.drop_source(source);
    EXPECT_NOT_WRONGLY_CONFIRMED(s, "limits/descriptors");
  }
}

TEST(Descriptors, MadeGoodByTheSameThreadIsNoCause) {
  Story s;
  s.connected()
      .act('S', "accept", {.error = EMFILE})
      .act('S', "accept")
      .exchange()
      .close('C')
      .wire("C>S FA")
      .wire("S>C A")
      .close('S')
      .wire("S>C FA")
      .end();
  EXPECT_VERDICT(s, "none", "confirmed");
}

// The descriptor that was free in the end came too late for the client, whose wait the failed accept had caused.
TEST(Descriptors, AnAcceptThatWorksWhenTheClientHasGivenUp) {
  for (const auto acts : {Acts::steps, Acts::calls}) {
    Story s(acts);
    s.connected()
        .send('C', 12)
        .act('S', "accept", {.error = EMFILE})
        .limit(kServerPid, "nofile", 16, 16)
        .recv_timeout('C', 500)
        .act('S', "accept")
        .recv('S', 12)
        .close('C')
        .wire("C>S FA")
        .wire("S>C A")
        .close('S')
        .wire("S>C FA")
        .end();
    EXPECT_VERDICT(s, "limits/descriptors", "confirmed");
  }
}

// One that works in time forgives: what the client waits for then is another matter.
TEST(Descriptors, AnAcceptThatWorksInTimeAndNoAnswer) {
  Story s;
  s.connected().send('C', 12).act('S', "accept", {.error = EMFILE}).wait(50).act('S', "accept").recv('S', 12);
  s.waiting('S', "sleep 10s").recv_timeout('C', 500).process(kServerPid, "running");
  s.close('C').wire("C>S FA").wire("S>C A").end();
  EXPECT_NOT_WRONGLY_CONFIRMED(s, "application/not-answering");
  EXPECT_EQ(s.verdict().cause, "application/not-answering");
}

TEST(Processes, Typical) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .act('S', "spawn-threads 8", {.error = EAGAIN})
      .limit(kServerPid, "nproc", 4, 4);
  s.close('S').wire("S>C FA").recv_eof('C').end();
  EXPECT_VERDICT(s, "limits/processes", "confirmed");
}

TEST(Processes, LookAlikeIgnoredAndAnswered) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .act('S', "spawn-threads 8", {.error = EAGAIN})
      .send('S', 5)
      .recv('C', 5)
      .act('C', "send 6", {.bytes = 6})
      .wire("C>S PA 7:13")
      .wire("S>C A");
  s.close('S').wire("S>C FA").recv_eof('C').end();
  EXPECT_VERDICT(s, "application/closed", "confirmed");
}

TEST(Memory, AllocationFailsAndItAborts) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .act('S', "allocate 1GiB", {.error = ENOMEM})
      .limit(kServerPid, "as", 64 << 20, 63 << 20);
  s.wire("S>C FA").killed(kServerPid, SIGABRT).recv_eof('C').end();
  EXPECT_VERDICT(s, "limits/memory", "confirmed");
}

TEST(Memory, WithEventsMissing) {
  for (const auto* source : {"wire", "limits", "filters", "actors", "signals"}) {
    Story s;
    s.handshake()
        .send('C', 6)
        .recv('S', 6)
        .act('S', "allocate 1GiB", {.error = ENOMEM})
        .limit(kServerPid, "as", 64 << 20, 63 << 20);
    s.wire("S>C FA").killed(kServerPid, SIGABRT).recv_eof('C').end().drop_source(source);
    // The crash is what can be seen when the calls can't.
    if (std::string(source) != "actors") EXPECT_NOT_WRONGLY_CONFIRMED(s, "limits/memory");
  }
}

TEST(FileSize, BySignal) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .signal(SIGXFSZ, kServerPid, 0, true)
      .wire("S>C FA")
      .killed(kServerPid, SIGXFSZ)
      .recv_eof('C')
      .end();
  EXPECT_VERDICT(s, "limits/file-size", "confirmed");
}

TEST(FileSize, ByError) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .act('S', "write-file 4KiB", {.error = EFBIG})
      .limit(kServerPid, "fsize", 1024, 1024)
      .close('S')
      .wire("S>C FA")
      .recv_eof('C')
      .end();
  EXPECT_VERDICT(s, "limits/file-size", "confirmed");
}

TEST(CpuTime, BySignalAndByItsHardEnd) {
  for (const int signal : {SIGXCPU, SIGKILL}) {
    Story s;
    s.handshake()
        .send('C', 6)
        .recv('S', 6)
        .limit(kServerPid, "cpu", 1, 1, signal == SIGKILL)
        .wire("S>C FA")
        .killed(kServerPid, signal)
        .recv_eof('C')
        .end();
    EXPECT_VERDICT(s, "limits/cpu-time", "confirmed");
  }
}

TEST(CpuTime, LookAlikeSentFromOutside) {
  Story s;
  s.handshake()
      .send('C', 6)
      .recv('S', 6)
      .signal(SIGXCPU, kServerPid, 77)
      .wire("S>C FA")
      .killed(kServerPid, SIGXCPU)
      .recv_eof('C')
      .end();
  EXPECT_VERDICT(s, "application/killed", "confirmed");
}

// It had used three quarters of a second.
Story at_work(std::vector<std::string> limits = {}) {
  Story s;
  if (!limits.empty()) s.started(kServerPid, "server", std::move(limits));
  s.handshake().send('C', 6).recv('S', 6);
  s.put(evidence::ProcessState{.pid = kServerPid, .state = "running", .cpu_ns = 750'000'000, .threads = 1}, true);
  return s;
}
Story& dies(Story& s, int signal) { return s.wire("S>C FA").killed(kServerPid, signal).recv_eof('C').end(); }

TEST(CpuTime, ASignalOfItsOwnIsNoLimit) {
  for (const bool limited : {true, false}) {
    auto s = at_work(limited ? std::vector<std::string>{"cpu=1s"} : std::vector<std::string>{});
    s.signal(SIGXCPU, kServerPid, kServerPid);
    EXPECT_VERDICT(dies(s, SIGXCPU), "application/exited", "confirmed");
  }
}

// A timer may send any signal, and it comes from the kernel.
TEST(CpuTime, TheKernelsSignalWithAndWithoutALimit) {
  auto none = at_work().wait(300).signal(SIGXCPU, kServerPid, 0, true);
  EXPECT_VERDICT(dies(none, SIGXCPU), "limits/cpu-time", "likely");
  auto far = at_work({"cpu=100s"}).wait(300).signal(SIGXCPU, kServerPid, 0, true);
  EXPECT_VERDICT(dies(far, SIGXCPU), "limits/cpu-time", "likely");
  Story early;
  early.started(kServerPid, "server", {"cpu=1s"}).handshake().send('C', 6).recv('S', 6);
  early.put(evidence::ProcessState{.pid = kServerPid, .state = "sleeping", .cpu_ns = 30'000'000, .threads = 1}, true);
  early.signal(SIGXCPU, kServerPid, 0, true);
  EXPECT_VERDICT(dies(early, SIGXCPU), "limits/cpu-time", "likely");
  auto limited = at_work({"cpu=1s"}).wait(300).signal(SIGXCPU, kServerPid, 0, true);
  EXPECT_VERDICT(dies(limited, SIGXCPU), "limits/cpu-time", "confirmed");
}

// Read after it was hit, it is a second more; and /proc shows a little less than what was counted.
TEST(CpuTime, ALimitThatHasMovedOn) {
  auto s = at_work({"cpu=1s"}).signal(SIGXCPU, kServerPid, 0, true);
  s.put(evidence::ProcessState{.pid = kServerPid, .state = "running", .cpu_ns = 900'000'000, .threads = 1}, true);
  s.limit(kServerPid, "cpu", 2, 0);
  EXPECT_VERDICT(dies(s, SIGXCPU), "limits/cpu-time", "confirmed");
}

// At the hard limit the kernel kills, names nobody and leaves no record.
TEST(CpuTime, AKillByNobodyWhenASecondWasUsed) {
  auto limited = at_work().limit(kServerPid, "cpu", 1, 0).wait(300).signal(SIGKILL, kServerPid, 0, true);
  EXPECT_VERDICT(dies(limited, SIGKILL), "limits/cpu-time", "likely");
  auto unknown = at_work().wait(300).signal(SIGKILL, kServerPid, 0, true);
  EXPECT_VERDICT(dies(unknown, SIGKILL), "application/killed", "likely");
}

TEST(CpuTime, LookAlikeAKillBySomebodyOrOfAnIdleProcess) {
  auto sent = at_work().limit(kServerPid, "cpu", 1, 0).wait(300).signal(SIGKILL, kServerPid, 77);
  EXPECT_NOT_WRONGLY_CONFIRMED(dies(sent, SIGKILL), "application/killed");
  auto somebody = at_work().wait(300).signal(SIGKILL, kServerPid, 77);
  EXPECT_VERDICT(dies(somebody, SIGKILL), "application/killed", "confirmed");
  auto idle = at_work().signal(SIGKILL, kServerPid, 0, true);
  EXPECT_VERDICT(dies(idle, SIGKILL), "application/killed", "confirmed");
}

TEST(Descriptors, WhatIsUsedIsToldOnlyWhereItIsTheLimit) {
  for (const std::uint64_t used : {0, 14, 16}) {
    Story s;
    s.connected().send('C', 12).act('S', "accept", {.error = EMFILE}).limit(kServerPid, "nofile", 16, used);
    s.built('S', "TCP_STATE", "CLOSE").wire("S>C RA").exits(kServerPid, 0).recv_fails('C', ECONNRESET).end();
    EXPECT_VERDICT(s, "limits/descriptors", "confirmed");
    const auto text = used == 16 ? "(nofile = 16, 16 used)" : "(nofile = 16)";
    EXPECT_NE(s.verdict().summary.find(text), std::string::npos) << s.verdict().summary;
  }
}

}  // namespace
}  // namespace lab::verdict
