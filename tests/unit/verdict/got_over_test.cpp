// Failures that need not be why an end closed: of calls that programs do without, and those that a sibling got over.
#include <fmt/format.h>

#include <cerrno>
#include <csignal>

#include "unit/verdict/story.hpp"

namespace lab::verdict {
namespace {

evidence::Call failing(int pid, const std::string& name, int error, bool filtered) {
  evidence::Call call;
  call.pid = call.tid = pid;
  call.name = name;
  call.error = error;
  call.began = !filtered;
  return call;
}

bool doubts(Story& s, const std::string& what) {
  return told(s.verdict()).find("[not excluded] " + what) != std::string::npos;
}

// ---- calls that programs do without

Story hangs_up_behind(const evidence::Call& failed) {
  Story s(Story::Acts::calls);
  s.handshake().send('C', 6).recv('S', 6).limit(kServerPid, "as", 64 << 20, 63 << 20).put(failed);
  return s.close('S').wire("S>C FA").recv_eof('C').end();
}

TEST(DoneWithout, AdviceTuningAndQuestionsAreNoSureCause) {
  for (const auto* call :
       {"madvise", "fadvise64", "sched_yield", "setpriority", "sched_setscheduler", "sched_setaffinity", "prctl",
        "ioprio_set", "getpeername", "getsockname", "fsync", "fdatasync", "sync_file_range"}) {
    auto s = hangs_up_behind(failing(kServerPid, call, EPERM, true));
    EXPECT_VERDICT(s, "seccomp/errno", "likely");
    EXPECT_TRUE(doubts(s, fmt::format("programs commonly do without what {} is for", call))) << told(s.verdict());
  }
}

TEST(DoneWithout, LookAlikeTheSameErrorOfACallThatIsNeeded) {
  for (const auto* call : {"setsockopt", "openat2", "mprotect", "socket"}) {
    auto s = hangs_up_behind(failing(kServerPid, call, EPERM, true));
    EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  }
}

TEST(DoneWithout, AShortageOfMemoryForTuning) {
  auto tuning = hangs_up_behind(failing(kServerPid, "sched_setaffinity", ENOMEM, false));
  EXPECT_VERDICT(tuning, "limits/memory", "likely");
  auto needed = hangs_up_behind(failing(kServerPid, "mmap", ENOMEM, false));
  EXPECT_VERDICT(needed, "limits/memory", "confirmed");
}

// ---- a signal followed

// A filter fails a call; at once its process is ended by a signal, by another process or by its own fault.
Story ended_behind(const std::string& call, int signal, int sender) {
  Story s(Story::Acts::calls);
  s.handshake().send('C', 6).recv('S', 6).put(failing(kServerPid, call, EPERM, true)).wait(5);
  s.signal(signal, kServerPid, sender, sender == 0).wire("S>C FA").killed(kServerPid, signal);
  return s.recv_eof('C').end();
}

TEST(SignalBehindAFailure, AnothersSignalIsNoneOfItsDoing) {
  for (const auto* call : {"madvise", "openat2", "socket"})
    for (const int signal : {SIGTERM, SIGKILL}) {
      auto s = ended_behind(call, signal, 77);
      EXPECT_EQ(s.verdict().cause, "application/killed") << told(s.verdict());
    }
}

TEST(SignalBehindAFailure, ACrashBehindACallThatIsNeededOrNot) {
  auto needed = ended_behind("openat2", SIGSEGV, 0), advice = ended_behind("madvise", SIGSEGV, 0);
  EXPECT_VERDICT(needed, "seccomp/errno", "confirmed");
  EXPECT_NE(advice.verdict().status, Status::confirmed) << told(advice.verdict());
}

// A handler may end it, and fail on its way out; and who is killed without a word of the sender gave nothing up.
TEST(SignalBehindAFailure, AskedToGoOrKilledByNobodyKnown) {
  Story asked(Story::Acts::calls), killed(Story::Acts::calls);
  for (auto* s : {&asked, &killed}) s->handshake().send('C', 6).recv('S', 6);
  asked.signal(SIGTERM, kServerPid, 77).put(failing(kServerPid, "openat2", EPERM, true)).close('S').wire("S>C FA");
  EXPECT_VERDICT(asked.recv_eof('C').end(), "seccomp/errno", "likely");
  killed.put(failing(kServerPid, "openat2", EPERM, true)).wire("S>C FA").killed(kServerPid, SIGKILL);
  EXPECT_EQ(killed.recv_eof('C').end().verdict().cause, "application/killed") << told(killed.verdict());
}

// Its own patience had run out, and its log line fails on the way out.
TEST(SignalBehindAFailure, LookAlikeItHadWaitedInVainBefore) {
  Story s;
  s.handshake().recv_timeout('S', 700).put(failing(kServerPid, "openat2", EPERM, true));
  EXPECT_NE(s.close('S').wire("S>C FA").recv_eof('C').end().verdict().status, Status::confirmed) << told(s.verdict());
}

// ---- a sibling met the same

constexpr int kFirst = 21, kSecond = 22;

// What differs between the two children that a forking server leaves a connection each.
struct Siblings {
  bool related = true, got_on = true;
  int error = EPERM;
};

class TwoChildren {
 public:
  explicit TwoChildren(const Siblings& siblings) {
    if (siblings.related) forks(kFirst);
    forks(kSecond);
    asks("127.0.0.1:45001", kFirst).put(failing(kFirst, "openat2", siblings.error, true));
    if (siblings.got_on) {
      on_connection(kFirst, "sendto", 5).wire("S>C PA 1:6").wire("C>S A");
      story_.act('C', "recv 64", {.bytes = 5});
    }
    story_.close('C').wire("C>S FA");
    on_connection(kFirst, "recvfrom", 0);
    on_connection(kFirst, "close", 0).wire("S>C FA").wire("C>S A");
    asks("127.0.0.1:45000", kSecond).put(failing(kSecond, "openat2", EPERM, true));
    on_connection(kSecond, "close", 0).wire("S>C FA").recv_eof('C').close('C').wire("C>S FA").end();
  }
  Story& story() { return story_; }

 private:
  void forks(int child) {
    story_.put(evidence::Call{.pid = kServerPid, .tid = kServerPid, .name = "clone", .result = child});
  }
  Story& on_connection(int pid, const char* name, std::int64_t result) {
    return story_.put(evidence::Call{.pid = pid,
                                     .tid = pid,
                                     .name = name,
                                     .result = result,
                                     .fd = 5,
                                     .local = *evidence::parse_address("127.0.0.1:8080"),
                                     .peer = *evidence::parse_address(client_)});
  }
  Story& asks(const char* client, int child) {
    client_ = client;
    story_.from(client).connected().act('C', "send 6", {.bytes = 6}).wire("C>S PA 1:7").wire("S>C A");
    return on_connection(child, "recvfrom", 6);
  }

  Story story_{Story::Acts::calls};
  std::string client_;
};

TEST(Sibling, WhatASiblingHadSurvivedIsNoCause) {
  auto s = TwoChildren({}).story();
  EXPECT_VERDICT(s, "application/closed", "likely");
  EXPECT_TRUE(doubts(s, "a filter had answered openat2 with errno before it")) << told(s.verdict());
}

TEST(Sibling, LookAlikeItDidNotGetOnMetAnotherErrorOrIsNoSibling) {
  for (const auto& siblings : {Siblings{.got_on = false}, Siblings{.error = EACCES}, Siblings{.related = false}}) {
    auto s = TwoChildren(siblings).story();
    EXPECT_VERDICT(s, "seccomp/errno", "confirmed");
  }
}

}  // namespace
}  // namespace lab::verdict
