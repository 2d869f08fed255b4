// System calls of programs, as BPF and ptrace see them: the same of both.
#include <gmock/gmock.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "played.hpp"
#include "scripts.hpp"
#include "strace.hpp"

namespace lab::test {
namespace {

using evidence::Call;
using evidence::FilterAct;

// Each test runs once with each tracer.
class Calls : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!bpf()) return;
    NEEDS_BPF();
  }
  bool bpf() const { return std::string(GetParam()) == "bpf"; }
  Played play(const Play& what) const { return bpf() ? by_bpf(what) : by_ptrace(what); }
};
INSTANTIATE_TEST_SUITE_P(Tracers, Calls, testing::Values("bpf", "ptrace"),
                         [](const auto& of) { return std::string(of.param); });

TEST_P(Calls, AreThoseStraceSees) {
  Played witnessed;
  const auto report = standard_error_of([&] { witnessed = unwatched(under_strace(script(both_ends))); });
  const auto expected = calls_in_strace(report);
  ASSERT_GT(expected.size(), 15u) << report;
  EXPECT_EQ(calls_in(play(script(both_ends))), expected);
}

TEST(CallsByBpf, AreThoseStraceSeesInTheSameRun) {
  NEEDS_BPF();
  Played played;
  const auto report = standard_error_of([&] { played = by_bpf(under_strace(script(both_ends))); });
  EXPECT_EQ(calls_in(played, played.pid), calls_in_strace(report)) << report;
}

TEST_P(Calls, CarryTheirConnection) {
  const auto played = play(script(both_ends));
  const auto accepted = played.calls("accept4"), connected = played.calls("connect");
  ASSERT_EQ(accepted.size(), 1u);
  ASSERT_EQ(connected.size(), 2u);
  EXPECT_EQ(accepted[0].local, connected[0].peer);
  EXPECT_EQ(accepted[0].peer, connected[0].local);
  EXPECT_EQ(to_string(accepted[0].local), "127.0.0.1:8080");
  EXPECT_EQ(accepted[0].fd, static_cast<int>(accepted[0].result));
  const auto reset = played.all<Call>([](const Call& c) { return c.error == ECONNRESET; });
  ASSERT_EQ(reset.size(), 1u);
  EXPECT_EQ(reset[0].local, connected[0].local) << "known although the connection is dead";
  EXPECT_EQ(reset[0].peer, connected[0].peer);
  for (const auto& call : played.all<Call>()) {
    EXPECT_EQ(call.pid, played.pid) << call.name;
    EXPECT_EQ(call.tid, played.pid) << call.name;
    EXPECT_GT(call.start_ns, 0) << call.name;
    EXPECT_TRUE(call.began) << call.name;
  }
}

TEST_P(Calls, TellAnAskedForReset) {
  const auto asked = play(script(both_ends)).all<Call>([](const Call& c) { return c.linger_reset; });
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_THAT(asked[0].args, testing::HasSubstr("SO_LINGER, {onoff=1, linger=0}"));
}

TEST_P(Calls, ThatReplaceADescriptorAreOfWhatTheyClose) {
  const auto played = play(script(R"(
import os, socket
l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)
c = socket.create_connection(('127.0.0.1', 8080)); a, _ = l.accept()
n = os.open('/dev/null', os.O_RDONLY)
os.dup2(n, a.fileno())
os.dup2(c.fileno(), n)
)"));
  const auto accepted = played.calls("accept4");
  ASSERT_EQ(accepted.size(), 1u);
  const auto dups = played.all<Call>([](const Call& c) { return c.name == "dup2" || c.name == "dup3"; });
  ASSERT_EQ(dups.size(), 2u);
  EXPECT_EQ(dups[0].local, accepted[0].local);
  EXPECT_EQ(dups[0].fd, accepted[0].fd);
  EXPECT_EQ(dups[1].local, accepted[0].peer) << "a copy is of what it copies";
  EXPECT_NE(dups[1].fd, dups[1].result);
}

TEST_P(Calls, OfThreadsAndChildrenAndWhatTheyExecute) {
  const auto played = play(script(R"(
import os, socket, subprocess, threading
def work():
    s = socket.socket(); s.close()
t = threading.Thread(target=work); t.start(); t.join()
child = os.fork()
if child == 0:
    work(); os._exit(0)
os.waitpid(child, 0)
subprocess.run(['/usr/bin/python3', '-I', '-S', '-c', 'import socket; socket.socket().close()'])
)"));
  const auto made = played.calls("socket");
  ASSERT_EQ(made.size(), 3u);
  EXPECT_EQ(made[0].pid, played.pid);
  EXPECT_NE(made[0].tid, played.pid);
  EXPECT_NE(made[1].pid, played.pid);
  EXPECT_EQ(made[1].pid, made[1].tid);
  EXPECT_NE(made[2].pid, made[1].pid);
}

TEST_P(Calls, ThatFailForWantOfDescriptors) {
  auto what = script(R"(
import socket
l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)
c = socket.create_connection(('127.0.0.1', 8080))
held = []
try:
    while True: held.append(open('/dev/null'))
except OSError: pass
try: l.accept()
except OSError: pass
)");
  what.confine = [] {
    const rlimit few{16, 16};
    ::setrlimit(RLIMIT_NOFILE, &few);
  };
  const auto played = play(what);
  const auto failed = played.all<Call>([](const Call& c) { return c.error == EMFILE; });
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed[0].name, "openat");
  EXPECT_EQ(failed[0].target, "/dev/null");
  EXPECT_EQ(failed[1].name, "accept4");
  EXPECT_EQ(to_string(failed[1].local), "127.0.0.1:8080");
}

TEST_P(Calls, ThatFailForWantOfMemory) {
  auto what = script("try: b = bytearray(1 << 30)\nexcept MemoryError: pass");
  what.confine = [] {
    const rlimit little{256 << 20, 256 << 20};
    ::setrlimit(RLIMIT_AS, &little);
  };
  EXPECT_FALSE(play(what).all<Call>([](const Call& c) { return c.name == "mmap" && c.error == ENOMEM; }).empty());
}

TEST_P(Calls, ThatNeverReturn) {
  auto what = script(R"(
import socket
l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)
c = socket.create_connection(('127.0.0.1', 8080)); a, _ = l.accept()
c.recv(64)
)");
  what.milliseconds = 1500;
  const auto played = play(what);
  const auto inside = played.all<Call>([](const Call& c) { return !c.returned; });
  ASSERT_EQ(inside.size(), 1u);
  EXPECT_EQ(inside[0].name, "recvfrom");
  EXPECT_EQ(to_string(inside[0].peer), "127.0.0.1:8080");
  EXPECT_TRUE(WIFSIGNALED(played.status));
}

TEST_P(Calls, AThreadThatSleepsIsToldOf) {
  auto what = script("import time; time.sleep(60)");
  what.milliseconds = 1000;
  const auto inside = play(what).all<Call>([](const Call& c) { return !c.returned; });
  ASSERT_EQ(inside.size(), 1u);
  EXPECT_THAT(inside[0].name, testing::HasSubstr("sleep"));
}

TEST_P(Calls, AStopIsNoInterruption) {
  const auto played = play(script(R"(
import os, signal, socket, time
a, b = socket.create_server(('127.0.0.1', 8080)), None
child = os.fork()
if child == 0:
    c = socket.create_connection(('127.0.0.1', 8080)); c.recv(64); os._exit(0)
b, _ = a.accept()
def state(): return open(f'/proc/{child}/stat').read().split()[2]
while state() != 'S': time.sleep(.01)
os.kill(child, signal.SIGSTOP)
while state() not in 'tT': time.sleep(.01)
os.kill(child, signal.SIGCONT)
while state() != 'S': time.sleep(.01)
b.send(b'hello'); os.waitpid(child, 0)
)"));
  const auto received = played.calls("recvfrom");
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0].result, 5);
  EXPECT_TRUE(played.all<Call>([](const Call& c) { return c.error == EINTR; }).empty());
}

TEST_P(Calls, BulkIsThinnedOutAndItsEndKept) {
  const auto played = play(script(R"(
import os, socket
l = socket.create_server(('127.0.0.1', 8080))
child = os.fork()
if child == 0:
    c = socket.create_connection(('127.0.0.1', 8080)); data = b'x' * 512
    for i in range(20000): c.send(data)
    c.send(b'the end'); c.close(); os._exit(0)
a, _ = l.accept()
while a.recv(512): pass
os.waitpid(child, 0)
)"));
  const auto sent = played.calls("sendto");
  ASSERT_FALSE(sent.empty());
  EXPECT_LT(sent.size(), 20001u);
  EXPECT_EQ(sent.back().result, 7) << "the last one is told";
  const auto received = played.calls("recvfrom");
  EXPECT_EQ(std::count_if(received.begin(), received.end(), [](const Call& c) { return c.result == 0; }), 1)
      << "and the end of file";
  EXPECT_EQ(played.account("syscalls").lost, 0u);
  if (bpf()) {
    EXPECT_THAT(played.account("syscalls").why, testing::HasSubstr("repetitions counted"));
  }
}

// prctl(PR_SET_SECCOMP) with: recvfrom -> `action`, all else allowed.
std::string filtered(const std::string& action, const std::string& then) {
  return R"(
import ctypes, socket, struct, threading
libc = ctypes.CDLL(None)
code = b''.join(struct.pack('HBBI', *i) for i in [(0x20, 0, 0, 0), (0x15, 0, 1, 45), (6, 0, 0, )" +
         action + R"(), (6, 0, 0, 0x7fff0000)])
held = ctypes.create_string_buffer(code, len(code))
fprog = struct.pack('HxxxxxxQ', len(code) // 8, ctypes.addressof(held))
l = socket.create_server(('127.0.0.1', 8080)); c = socket.create_connection(('127.0.0.1', 8080)); a, _ = l.accept()
def install():
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, fprog, 0, 0): raise SystemExit(9)
)" + then;
}

TEST_P(Calls, ThatAFilterFailed) {
  const auto played = play(script(filtered("0x00050068", "install()\ntry: c.recv(64)\nexcept OSError: pass\n")));
  const auto failed = played.calls("recvfrom");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].error, ECONNRESET);
  EXPECT_EQ(to_string(failed[0].peer), "127.0.0.1:8080");
  EXPECT_EQ(failed[0].began, !bpf()) << "ptrace stops before a filter is asked";
}

// As the scenario's own filter would: static, and loaded behind the tracer's.
void fail_every_recvfrom() {
  sock_filter code[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 0},
                        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_recvfrom},
                        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ECONNRESET},
                        {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
  sock_fprog filter{4, code};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) ::_exit(9);
}

TEST_P(Calls, ThatTheScenariosFilterFailed) {
  auto what = script(both_ends);
  what.confine = fail_every_recvfrom;
  const auto failed = play(what).calls("recvfrom");
  ASSERT_EQ(failed.size(), 1u);
  EXPECT_EQ(failed[0].error, ECONNRESET);
}

TEST(CallsByPtrace, SeeTheSameWithEveryCall) {
  auto what = script(both_ends);
  const auto some = calls_in(by_ptrace(what));
  what.every_call = true;
  EXPECT_EQ(calls_in(by_ptrace(what)), some);
}

TEST(CallsByPtrace, SayThatTimingWasDisturbed) {
  const auto played = by_ptrace(script(both_ends));
  EXPECT_TRUE(played.account("syscalls").disturbs);
  EXPECT_EQ(played.account("syscalls").events, played.all<Call>().size());
}

TEST_P(Calls, ThatAFilterKilledTheProcessFor) {
  const auto played = play(script(filtered("0x80000000", "install(); c.recv(64)\n")));
  ASSERT_TRUE(WIFSIGNALED(played.status));
  EXPECT_EQ(WTERMSIG(played.status), SIGSYS);
  const auto acts = played.all<FilterAct>();
  ASSERT_EQ(acts.size(), 1u);
  EXPECT_EQ(acts[0].call, "recvfrom");
  EXPECT_EQ(acts[0].pid, played.pid);
  EXPECT_EQ(to_string(acts[0].peer), "127.0.0.1:8080");
}

TEST_P(Calls, ThatAFilterKilledAThreadFor) {
  const auto played = play(script(filtered("0x00000000", R"(
import os, time
t = threading.Thread(target=lambda: (install(), c.recv(64)), daemon=True); t.start()
while len(os.listdir('/proc/self/task')) > 1: time.sleep(.01)
os._exit(0)
)")));
  ASSERT_TRUE(WIFEXITED(played.status));
  const auto acts = played.all<FilterAct>();
  ASSERT_EQ(acts.size(), 1u);
  EXPECT_EQ(acts[0].call, "recvfrom");
  EXPECT_EQ(acts[0].action, "kill-thread");
  EXPECT_NE(acts[0].tid, acts[0].pid);
}

}  // namespace
}  // namespace lab::test
