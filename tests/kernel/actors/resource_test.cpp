// Steps that use resources up, under the sandbox's own limits, and many instances at once.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <set>

#include "system/error.hpp"
#include "troupe.hpp"

namespace lab::test {
namespace {

using namespace std::chrono_literals;

TEST(Resource, FirstSocketIsThree) {
  Troupe troupe({server({"accept", "recv"}), client({"connect", "send 'x'"})});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe[0].report()[0].record.fd, 4) << "behind the listener's 3";
  EXPECT_EQ(troupe[1].report()[0].record.fd, 3);
}

TEST(Resource, SixteenDescriptorsAreSixteen) {
  auto few = server({"accept", "wait two-connected", "open-files 11", "open-files 2", "accept", "recv"});
  few.limits.nofile = 16;  // 0, 1, 2, the listener, a connection, and 11 more
  Troupe troupe({few, client({"connect", "connect", "signal two-connected", "recv"})});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), "accept ok, wait ok, open-files ok, open-files EMFILE, accept EMFILE, recv not reached");
  EXPECT_EQ(troupe[0].report()[2].record.fd, 15);
  EXPECT_EQ(troupe[0].report()[3].record.bytes, 0);
  EXPECT_EQ(troupe.told(1), "connect ok, connect ok, signal ok, recv ECONNRESET")
      << "the handshake succeeds all the same";
}

TEST(Resource, ConnectWithoutDescriptorsTellsOfSocket) {
  auto few = client({"open-files 100", "connect"});
  few.limits.nofile = 16;
  Troupe troupe({few});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), "open-files EMFILE, connect EMFILE");
  EXPECT_EQ(troupe[0].report()[0].record.bytes, 13);
  EXPECT_EQ(troupe[0].report()[1].call, "socket");
}

TEST(Resource, ListenerWithoutDescriptorsIsAPseudoStep) {
  auto none = server({"accept"});
  none.limits.nofile = 3;
  Troupe troupe({none, client({"connect"})});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), "listen EMFILE, accept not reached");
  EXPECT_EQ(troupe.told(1), "connect ECONNREFUSED");
  const auto listen = troupe[0].report()[0];
  EXPECT_TRUE(listen.pseudo);
  EXPECT_EQ(listen.call, "socket");
  EXPECT_EQ(troupe[0].failure(), "");
}

TEST(Resource, TakenPortIsAPseudoStep) {
  Troupe troupe({server({"accept timeout=200ms"}), server({"accept"})});
  troupe.play();
  EXPECT_EQ(troupe.told(1), "listen EADDRINUSE, accept not reached");
  EXPECT_EQ(troupe[1].report()[0].call, "bind");
}

TEST(Resource, FileSizeLimitKills) {
  auto writer = client({"write-file 1000", "write-file 4KiB", "print 'never'"});
  writer.limits.fsize = 1024;
  Troupe troupe({writer});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(WTERMSIG(troupe.status(0)), SIGXFSZ);
  EXPECT_EQ(troupe.told(0), "write-file 1000 bytes, write-file stopped, print not reached");
}

TEST(Resource, WritesFilesAndClosesThem) {
  auto writer = client({"write-file 300000", "write-file 1", "connect"});
  Troupe troupe({writer, server({"accept"})});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), "write-file 300000 bytes, write-file 1 bytes, connect ok");
  EXPECT_EQ(troupe[0].report()[2].record.fd, 3);
}

TEST(Resource, AddressSpaceLimitFails) {
  auto eater = client({"allocate 8MiB", "allocate 64MiB", "allocate 8MiB"});
  eater.limits.as = 32 << 20;
  Troupe troupe({eater});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0), "allocate ok, allocate ENOMEM, allocate ok");
}

TEST(Resource, ThreadLimitFails) {
  auto many = client({"spawn-threads 10", "start-thread 'print \\'never\\''", "fork 'print \\'never\\''"});
  many.limits.nproc = 4;  // itself and three threads
  Troupe troupe({many});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(troupe.told(0),
            "spawn-threads EAGAIN, start-thread EAGAIN, print not reached, fork EAGAIN, print not reached");
  EXPECT_EQ(troupe[0].report()[0].record.bytes, 3);
}

TEST(Resource, CpuLimitKills) {
  auto busy = client({"burn 20s"});
  busy.limits.cpu = 1s;
  Troupe troupe({busy});
  troupe.prepare = confined;
  troupe.play();
  EXPECT_EQ(WTERMSIG(troupe.status(0)), SIGXCPU);
}

// ---- many

TEST(Resource, ServersThreadsThatCannotStartAreRecorded) {
  auto serves = server({"accept", "recv"});
  serves.parallel = 6;
  serves.limits.nproc = 4;
  Troupe troupe({serves, client({"connect", "send 'x'"})});
  troupe.prepare = confined;
  troupe.play();
  const auto all = troupe[0].report();
  const auto failed = std::count_if(all.begin(), all.end(), [](const auto& s) { return s.pseudo; });
  EXPECT_EQ(failed, 2);
  EXPECT_EQ(troupe.told(0, 5), "start-thread EAGAIN, accept not reached, recv not reached");
  EXPECT_EQ(troupe.outcomes(0, "recv").size(), 6U);
}

TEST(Resource, TwoHundredClientsAtOnceAgainstTwoHundredThreads) {
  auto serves = server({"accept", "recv 16", "send 'answer'", "close"});
  serves.parallel = 200;
  serves.backlog = 200;
  auto many = client({"connect", "send 'question'", "recv 16", "recv"});
  many.parallel = 200;
  Troupe troupe({serves, many});
  troupe.play();
  EXPECT_EQ(troupe[1].report().size(), 800U);
  std::set<std::uint16_t> ports;
  for (const auto& step : troupe[1].report()) {
    const std::map<std::string, std::string> want = {{"connect", "ok"}, {"send", "8 bytes"}, {"recv", "6 bytes"}};
    if (step.record.index < 3) {
      EXPECT_EQ(step.outcome, want.at(step.step->name));
    }
    ports.insert(step.record.local_port);
  }
  EXPECT_EQ(ports.size(), 200U);
  EXPECT_EQ(troupe[1].endings().size(), 1U) << "threads of one process";
  const auto counts = troupe[1].tallies();
  EXPECT_EQ(counts[0].count, 200U);
  EXPECT_EQ(counts[1].outcome, "bytes");
}

TEST(Resource, ClientsThatTellAProcessAreProcesses) {
  auto serves = server({"accept", "recv"});
  serves.repeat = {};
  serves.backlog = 70;
  auto many = client({"connect", "exit 3"});
  many.parallel = 70;
  Troupe troupe({serves, many});
  troupe.play();
  ASSERT_EQ(troupe[1].endings().size(), 70U);
  for (const auto& ending : troupe[1].endings()) EXPECT_EQ(ending.status, 3 << 8);
}

TEST(Resource, ClientThreadsCloseAtTheirEnd) {
  auto serves = server({"accept", "recv"});
  serves.parallel = 65;
  serves.backlog = 65;
  auto many = client({"connect as=a", "connect 127.0.0.1:8080 as=b", "close a"});
  many.parallel = 65;
  Troupe troupe({serves, many});
  troupe.play();
  for (const auto& outcome : troupe.outcomes(0, "recv")) EXPECT_EQ(outcome, "eof");
}

TEST(Resource, StartsTogetherThoughOneDies) {
  auto many = client({"connect 127.0.0.1:9"});
  many.parallel = 5;
  Troupe troupe({many});
  troupe.prepare = [](const scenario::Actor&, std::uint32_t instance, int) {
    if (instance == 2) ::raise(SIGKILL);
  };
  troupe.play();
  EXPECT_THAT(troupe.outcomes(0, "connect"),
              testing::ElementsAre("ECONNREFUSED", "ECONNREFUSED", "not reached", "ECONNREFUSED", "ECONNREFUSED"));
}

TEST(Resource, RepeatsAndForever) {
  auto serves = server({"accept", "recv", "close"});
  serves.repeat = {};
  auto again = client({"connect", "send 'x'", "close"});
  again.repeat = 50;
  Troupe troupe({serves, again});
  troupe.play();
  const auto sends = troupe.outcomes(1, "send");
  EXPECT_EQ(sends, std::vector<std::string>(50, "1 bytes"));
  const auto accepts = troupe.outcomes(0, "accept");
  ASSERT_EQ(accepts.size(), 51U);
  EXPECT_EQ(accepts.back(), "stopped");
  EXPECT_EQ(troupe[1].tallies()[0].count, 50U);
}

TEST(Resource, ForeverKeepsTheFirstAndTheLast) {
  auto spins = client({"signal spun"});
  spins.repeat = 200'000;
  Troupe troupe({spins});
  troupe.play();
  const auto all = troupe[0].report();
  EXPECT_EQ(all.size(), 65536U);
  EXPECT_EQ(all.front().record.turn, 0U);
  EXPECT_EQ(all[32767].record.turn, 32767U);
  EXPECT_EQ(all[32768].record.turn, 200'000U - 32768U);
  EXPECT_EQ(all.back().record.turn, 199'999U);
  EXPECT_EQ(all.back().outcome, "ok");
  ASSERT_EQ(troupe[0].tallies().size(), 1U);
  EXPECT_EQ(troupe[0].tallies()[0].count, 200'000U);
}

TEST(Resource, FailureInPreparationIsTheLabs) {
  Troupe troupe({client({"connect"})});
  troupe.prepare = [](const scenario::Actor&, std::uint32_t, int) { throw sys::LabError("no stage for this"); };
  troupe.may_fail = true;
  troupe.play();
  EXPECT_EQ(troupe[0].failure(), "client: no stage for this");
  EXPECT_FALSE(troupe[0].failure_of_program());
  EXPECT_EQ(troupe.status(0), 125 << 8);
  EXPECT_EQ(troupe.told(0), "connect not reached");
}

}  // namespace
}  // namespace lab::test
