// Steps that end, copy, stop or replace a process, and those that talk between actors.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <fstream>

#include "troupe.hpp"

namespace lab::test {
namespace {

using namespace std::chrono_literals;

struct Way {
  const char* step;
  int signal, status;
};

// Whatever its end, what it did before is on record, and the kernel closes its connection.
class Ending : public testing::TestWithParam<Way> {};

TEST_P(Ending, IsSeenAndLosesNothing) {
  const auto& way = GetParam();
  Troupe troupe({server({"accept", "recv", way.step, "send 'never'"}), client({"connect", "send 'x'", "recv"})});
  troupe.play();
  const auto status = troupe.status(0);
  if (way.signal) {
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    EXPECT_EQ(WTERMSIG(status), way.signal);
  } else {
    ASSERT_TRUE(WIFEXITED(status)) << status;
    EXPECT_EQ(WEXITSTATUS(status), way.status);
  }
  const auto verb = std::string(way.step).substr(0, std::string(way.step).find(' '));
  EXPECT_EQ(troupe.told(0), "accept ok, recv 1 bytes, " + verb + " ok, send not reached");
  EXPECT_EQ(troupe.told(1), "connect ok, send 1 bytes, recv eof");
}

INSTANTIATE_TEST_SUITE_P(Every, Ending,
                         testing::Values(Way{"exit", 0, 0}, Way{"exit 7", 0, 7}, Way{"abort", SIGABRT, 0},
                                         Way{"crash", SIGSEGV, 0}, Way{"raise TERM", SIGTERM, 0},
                                         Way{"raise KILL", SIGKILL, 0}, Way{"raise PIPE", SIGPIPE, 0},
                                         Way{"exec false", 0, 1}),
                         [](const auto& about) {
                           std::string name = about.param.step;
                           std::erase_if(name, [](char c) { return !std::isalnum(static_cast<unsigned char>(c)); });
                           return name;
                         });

// The call that a child has come to, of these two.
long waits_in(const std::string& child, long one, long other) {
  while (true) {
    long call = -1;
    std::ifstream("/proc/" + child + "/syscall") >> call;  // a word, "running", while it is in none
    if (call == one || call == other) return call;
  }
}

TEST(Process, ForkedAheadItWaitsForItsStart) {
  Troupe troupe({server({"accept", "send 'x'"}), client({"connect", "recv"})});
  troupe[0].fork_ahead(troupe.prepare);
  std::string child;
  std::ifstream("/proc/thread-self/children") >> child;
  EXPECT_EQ(waits_in(child, SYS_futex, SYS_accept4), SYS_futex);
  EXPECT_FALSE(troupe[0].ready());
  troupe.play();
  EXPECT_TRUE(troupe[0].owns(std::stoi(child)));
  EXPECT_EQ(troupe.told(0), "accept ok, send 1 bytes");
  EXPECT_EQ(troupe.told(1), "connect ok, recv 1 bytes");
}

TEST(Process, KilledInTheMiddleLosesNothing) {
  auto victim = server({"accept", "recv 3", "recv"});
  Troupe troupe({victim, client({"connect", "send 'abc'", "fork 'sleep 1s'", "recv timeout=50ms"})});
  troupe.play(0ms);
  EXPECT_EQ(WTERMSIG(troupe.status(0)), SIGKILL);
  EXPECT_EQ(troupe.told(0), "accept ok, recv 3 bytes, recv stopped");
  const auto last = troupe[0].report()[2].record;
  EXPECT_GT(last.start_ns, 0);
  EXPECT_EQ(last.end_ns, 0);
  EXPECT_NE(last.peer_port, 0) << "a step under way knows its connection";
}

TEST(Process, WritesToTheDeadAreEpipeOrKill) {
  const std::vector<std::string> clients = {"connect", "recv", "send 'x'", "send 'x'"};
  Troupe polite({server({"accept", "reset"}), client(clients)});
  polite.play();
  EXPECT_EQ(polite.told(1), "connect ok, recv ECONNRESET, send EPIPE, send EPIPE");
  Troupe killed({server({"accept", "reset"}), client({"connect", "option sigpipe 1", "recv", "send 'x'"})});
  killed.play();
  EXPECT_EQ(WTERMSIG(killed.status(1)), SIGPIPE);
  EXPECT_EQ(killed.told(1), "connect ok, option ok, recv ECONNRESET, send stopped");
  auto by_table = client({"connect", "recv", "send 'x'"});
  by_table.options.push_back({"sigpipe", 1, "", {}});
  Troupe from_the_start({server({"accept", "reset"}), by_table});
  from_the_start.play();
  EXPECT_EQ(WTERMSIG(from_the_start.status(1)), SIGPIPE);
}

TEST(Process, ForkSharesDescriptors) {
  Troupe troupe({server({"accept", "fork 'recv; send \\'pong\\'; sleep 30ms; close'", "close", "sleep 200ms"}),
                 client({"connect", "send 'ping'", "recv", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, fork ok, recv 4 bytes, send 4 bytes, sleep ok, close ok, close ok, sleep ok");
  EXPECT_EQ(troupe.told(1), "connect ok, send 4 bytes, recv 4 bytes, recv eof");
  const auto steps = troupe[0].report();
  EXPECT_NE(steps[0].record.pid, steps[2].record.pid);
  EXPECT_EQ(steps[1].record.pid, steps[0].record.pid);
  EXPECT_EQ(steps[2].record.tid, steps[2].record.pid);
}

TEST(Process, ParentKeepsWhatItsChildCloses) {
  Troupe troupe({server({"accept", "fork 'close'", "sleep 300ms"}), client({"connect", "recv timeout=100ms"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, recv timeout");
}

TEST(Process, ThreadsShareDescriptors) {
  Troupe troupe({server({"accept", "start-thread 'recv; send \\'pong\\''", "sleep 50ms"}),
                 client({"connect", "send 'ping'", "recv", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, start-thread ok, recv 4 bytes, send 4 bytes, sleep ok");
  EXPECT_EQ(troupe.told(1), "connect ok, send 4 bytes, recv 4 bytes, recv eof");
  const auto steps = troupe[0].report();
  EXPECT_EQ(steps[2].record.pid, steps[0].record.pid);
  EXPECT_NE(steps[2].record.tid, steps[0].record.tid);
}

TEST(Process, WaitsForItsThreadsAtItsEnd) {
  Troupe troupe({server({"accept", "start-thread 'recv; send \\'late\\''"}),
                 client({"connect", "sleep 100ms", "send 'x'", "recv"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, start-thread ok, recv 1 bytes, send 4 bytes");
  EXPECT_EQ(troupe.told(1), "connect ok, sleep ok, send 1 bytes, recv 4 bytes");
}

// close(2) takes the number away; the thread that waits in recv(2) goes on waiting, and no FIN leaves.
TEST(Process, CloseUnderAWaitingThread) {
  Troupe troupe({server({"accept", "start-thread 'recv'", "sleep 50ms", "close", "wait nobody-says-this"}),
                 client({"connect", "recv timeout=200ms", "send 'x'", "recv timeout=100ms"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, start-thread ok, recv 1 bytes, sleep ok, close ok, wait stopped");
  EXPECT_EQ(troupe.told(1), "connect ok, recv timeout, send 1 bytes, recv eof");
}

TEST(Process, SignalStaysSet) {
  Troupe troupe({server({"signal stays-set", "accept", "recv"}),
                 client({"connect", "sleep 30ms", "wait stays-set", "wait stays-set", "close"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "connect ok, sleep ok, wait ok, wait ok, close ok");
}

TEST(Process, WaitForASignallerThatDied) {
  Troupe troupe({server({"accept", "exit", "signal dead-signaller"}), client({"connect", "recv", "close"}),
                 acting(Role::server, {"wait dead-signaller"})});
  troupe.play();
  EXPECT_EQ(troupe.told(2), "wait stopped");
}

TEST(Process, PrintsLines) {
  Troupe troupe({client({"print 'one\\ntwo'", "print 'three'", "fork 'print \\'four\\''", "sleep 50ms"})});
  troupe.play();
  EXPECT_EQ(troupe.output(0), "one\ntwo\nthree\nfour\n");
}

TEST(Process, SleepAndBurnTakeTheirTime) {
  Troupe troupe({client({"sleep 50ms", "burn 20ms"})});
  troupe.play();
  const auto steps = troupe[0].report();
  EXPECT_EQ(troupe.told(0), "sleep ok, burn ok");
  EXPECT_GE(steps[0].record.end_ns - steps[0].record.start_ns, 50'000'000);
  EXPECT_GE(steps[1].record.end_ns - steps[1].record.start_ns, 20'000'000);
  EXPECT_LE(steps[0].record.end_ns, steps[1].record.start_ns);
}

TEST(Process, ExecKeepsOrClosesByOption) {
  Troupe kept({server({"accept", "exec sleep 0.1"}), client({"connect", "recv timeout=60ms", "recv"})});
  kept.play();
  EXPECT_EQ(kept.told(1), "connect ok, recv timeout, recv eof");
  Troupe closed({server({"accept", "option cloexec 1", "exec sleep 0.3"}), client({"connect", "recv timeout=100ms"})});
  closed.play();
  EXPECT_EQ(closed.told(1), "connect ok, recv eof");
}

TEST(Process, ExecOfNothingIsAFailedStep) {
  Troupe troupe({client({"exec no-such-program", "exec ./neither", "print 'still here'"})});
  troupe.play();
  EXPECT_EQ(troupe.told(0), "exec ENOENT, exec ENOENT, print ok");
  EXPECT_EQ(troupe[0].failure(), "");
  const auto counts = troupe[0].tallies();
  ASSERT_EQ(counts.size(), 3U) << "the ok that was taken back is not counted";
  EXPECT_EQ(counts[0].outcome, "ENOENT");
  EXPECT_EQ(counts[0].count, 1U);
}

// Init ignores and blocks signals; nothing of that reaches an actor.
TEST(Process, StartsWithDefaultSignalsAndStandardDescriptors) {
  ::signal(SIGUSR1, SIG_IGN);
  Troupe troupe({program(Role::client, {"sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status; ls -1 /proc/self/fd"}),
                 client({"exec grep SigIgn /proc/self/status"})});
  troupe.play();
  ::signal(SIGUSR1, SIG_DFL);
  // ls has its own descriptor on the folder: 3.
  EXPECT_EQ(troupe.output(0), "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n0\n1\n2\n3\n");
  EXPECT_EQ(troupe.output(1), "SigIgn:\t0000000000000000\n");
}

}  // namespace
}  // namespace lab::test
