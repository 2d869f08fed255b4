// Drops, resets, retransmissions, states and signals as BPF sees them.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <set>

#include "played.hpp"
#include "sandbox/confine.hpp"
#include "scripts.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::test {
namespace {

using evidence::Call;
using evidence::KernelEvent;
using evidence::SignalSent;

// Rules by nft, which keeps the namespace's capabilities.
std::function<void()> with_rules(const std::string& rules) {
  return [rules] {
    const auto command = "printf '%s' '" + rules + "' | nft -f -";
    const pid_t nft = sys::check(::fork(), "fork");
    if (nft == 0) {
      sandbox::confine({.program = true, .keep_capabilities = true, .identity = sandbox::invoker()});
      ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(nft, &status, 0);
    if (status != 0) throw sys::LabError("nft refused: " + rules);
  };
}

TEST(Kernel, ACloseWithUnreadBytesIsSeenWithItsReason) {
  NEEDS_BPF();
  const auto played = by_bpf(script(close_unread));
  ASSERT_TRUE(WIFEXITED(played.status));
  const auto sent = played.kernel("send-reset");
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].reason, "TCP_ABORT_ON_CLOSE");
  EXPECT_EQ(sent[0].state, "CLOSE");
  EXPECT_EQ(to_string(sent[0].source), "127.0.0.1:8080");
  EXPECT_EQ(sent[0].target.port, played.calls("accept4")[0].peer.port) << "its port is gone when it is sent";
  EXPECT_EQ(sent[0].pid, played.pid);
  const auto received = played.kernel("receive-reset");
  ASSERT_EQ(received.size(), 1u);
  EXPECT_EQ(received[0].source, sent[0].target);
}

TEST(Kernel, StatesFollowBothEnds) {
  NEEDS_BPF();
  const auto played = by_bpf(script(close_unread));
  std::vector<std::string> server, client;
  for (const auto& state : played.kernel("state")) {
    if (state.old_state == "LISTEN" || state.state == "LISTEN") continue;
    (state.source.port == 8080 ? server : client).push_back(state.old_state + " " + state.state);
  }
  EXPECT_THAT(server, testing::ElementsAre("SYN_RECV ESTABLISHED", "ESTABLISHED CLOSE"));
  EXPECT_THAT(client, testing::ElementsAre("CLOSE SYN_SENT", "SYN_SENT ESTABLISHED", "ESTABLISHED CLOSE"));
}

// A child of each kind has the accepted end alone, and gives it up in its own way; the last one behind the client's
// FIN.
TEST(Kernel, AStateNamesTheCallThatClosed) {
  NEEDS_BPF();
  constexpr const char* ways = R"(
import os, signal, socket
l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)
def execs(a): os.set_inheritable(a.fileno(), False); os.execv('/bin/true', ['true'])
def dies(a): os.kill(os.getpid(), signal.SIGKILL)
def inherits(a): os.set_inheritable(a.fileno(), True); os.execv('/bin/true', ['true'])
def closes(a): a.close()
def shuts(a): a.shutdown(socket.SHUT_WR)
def ends(a): os._exit(0)
for way, first in ((closes, 0), (shuts, 0), (execs, 0), (ends, 0), (dies, 0), (inherits, 0), (closes, 1)):
    c = socket.socket(); c.connect(('127.0.0.1', 8080)); a, _ = l.accept()
    r, w = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(w); c.close(); l.close()
        os.read(r, 1)
        way(a)
        os._exit(0)
    a.close(); os.close(r)
    if first: c.shutdown(socket.SHUT_WR)
    os.close(w)
    c.recv(1)
    os.waitpid(child, 0)
    c.close()
)";
  const auto played = by_bpf(script(ways));
  std::vector<std::string> told;
  std::set<int> pids{played.pid};
  for (const auto& state : played.kernel("state"))
    if (state.source.port == 8080 && state.old_state != state.state &&
        (state.state == "FIN_WAIT1" || state.state == "LAST_ACK")) {
      told.push_back(state.state + " " + state.call);
      pids.insert(state.pid);
    }
  EXPECT_THAT(told, testing::ElementsAre("FIN_WAIT1 close", "FIN_WAIT1 shutdown", "FIN_WAIT1 execve", "FIN_WAIT1 exit",
                                         "FIN_WAIT1 exit", "FIN_WAIT1 exit", "LAST_ACK close"));
  EXPECT_EQ(pids.size(), 8u) << "each child's own, and not the parent's";
}

TEST(Kernel, ADropNamesTheHookThatAteIt) {
  NEEDS_BPF();
  auto play = script(R"(
import socket
l = socket.socket(); l.bind(('127.0.0.1', 8080)); l.listen(5)
c = socket.socket(); c.connect(('127.0.0.1', 8080)); a, _ = l.accept()
c.send(b'hello'); a.settimeout(0.5)
try: a.recv(64)
except TimeoutError: pass
)");
  play.furnish = with_rules(
      "table inet t { chain c { type filter hook input priority 0; tcp dport 8080 tcp flags psh drop\n}\n}\n");
  const auto played = by_bpf(play);
  const auto drops =
      played.all<KernelEvent>([](const auto& e) { return e.kind == "drop" && e.reason == "NETFILTER_DROP"; });
  ASSERT_GE(drops.size(), 1u);
  EXPECT_EQ(drops[0].target.port, 8080);
  EXPECT_EQ(drops[0].flags, "PA");
  EXPECT_EQ(drops[0].length, 5u);
  EXPECT_NE(drops[0].where, "");
  const auto again = played.kernel("retransmit");
  ASSERT_GE(again.size(), 1u);
  EXPECT_EQ(again[0].seq, drops[0].seq);
  EXPECT_EQ(again[0].length, 5u);
  EXPECT_EQ(again[0].source, drops[0].source);
}

TEST(Kernel, ADropOnTheWayOutIsSeenToo) {
  NEEDS_BPF();
  auto play = script(R"(
import socket
l = socket.socket(socket.AF_INET6); l.bind(('::1', 8080)); l.listen(5)
c = socket.socket(socket.AF_INET6); c.connect(('::1', 8080)); a, _ = l.accept()
c.send(b'hello')
)");
  play.furnish = with_rules(
      "table inet t { chain c { type filter hook output priority 0; tcp dport 8080 tcp flags psh drop\n}\n}\n");
  const auto drops = by_bpf(play).all<KernelEvent>([](const auto& e) { return e.reason == "NETFILTER_DROP"; });
  ASSERT_GE(drops.size(), 1u);
  EXPECT_EQ(to_string(drops[0].target), "[::1]:8080");
  EXPECT_EQ(drops[0].length, 5u);
}

TEST(Kernel, AnAnswerToNobodysSegmentHasNoSocket) {
  NEEDS_BPF();
  const auto sent =
      by_bpf(script("import socket\ntry: socket.create_connection(('127.0.0.1', 9))\nexcept OSError: pass"))
          .kernel("send-reset");
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].reason, "NO_SOCKET");
  EXPECT_EQ(to_string(sent[0].source), "127.0.0.1:9");
}

TEST(Kernel, ASignalNamesItsSender) {
  NEEDS_BPF();
  const auto played = by_bpf(script(R"(
import os, signal, time
child = os.fork()
if child == 0: time.sleep(60)
os.kill(child, signal.SIGTERM); os.waitpid(child, 0)
)"));
  const auto sent = played.all<SignalSent>([](const auto& s) { return s.signal == SIGTERM; });
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].sender, played.pid);
  EXPECT_EQ(std::to_string(sent[0].target), played.calls("clone").at(0).target);
  EXPECT_THAT(sent[0].sender_name, testing::StartsWith("python3"));
  EXPECT_FALSE(sent[0].by_kernel);
  EXPECT_FALSE(sent[0].by_lab);
}

TEST(Kernel, AProcessesOwnFaultIsTheKernels) {
  NEEDS_BPF();
  const auto played = by_bpf(script("import ctypes; ctypes.string_at(0)"));
  ASSERT_TRUE(WIFSIGNALED(played.status));
  const auto sent = played.all<SignalSent>([](const auto& s) { return s.signal == SIGSEGV; });
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_TRUE(sent[0].by_kernel);
  EXPECT_EQ(sent[0].sender, 0);
  EXPECT_EQ(sent[0].target, played.pid);
}

TEST(Kernel, WhatInitDoesIsTheLabs) {
  NEEDS_BPF();
  auto play = script("import time; time.sleep(60)");
  play.milliseconds = 300;
  const auto killed = by_bpf(play).all<SignalSent>([](const auto& s) { return s.signal == SIGKILL; });
  ASSERT_GE(killed.size(), 1u);
  EXPECT_TRUE(killed[0].by_lab);
}

TEST(Kernel, SandboxesAreToldApart) {
  NEEDS_BPF();
  const auto first = probe().watch({.user = 1, .pid = 2});  // numbers no namespace has
  const auto played = by_bpf(script(close_unread));
  EXPECT_FALSE(played.events.empty());
  std::size_t strangers = 0;
  const auto accounts = probe().finish(first, [&](auto, auto&&) { ++strangers; });
  EXPECT_EQ(strangers, 0u);
  for (const auto& account : accounts) EXPECT_EQ(account.events, 0u) << account.name;
}

bool has_a_ring() {
  std::ifstream maps("/proc/self/maps");
  const std::string all(std::istreambuf_iterator<char>(maps), {});
  return all.find("bpf-map") != std::string::npos;
}

TEST(Kernel, ItsRingIsNotCopiedIntoChildren) {
  NEEDS_BPF();
  probe();
  EXPECT_TRUE(has_a_ring());
  const pid_t child = sys::check(::fork(), "fork");
  if (child == 0) ::_exit(has_a_ring() ? 1 : 0);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST(Kernel, AccountsForWhatItSaw) {
  NEEDS_BPF();
  const auto played = by_bpf(script(close_unread));
  EXPECT_EQ(played.account("kernel").events, played.all<KernelEvent>().size());
  EXPECT_EQ(played.account("syscalls").events, played.all<Call>().size());
  for (const auto& account : played.accounts) {
    EXPECT_TRUE(account.on) << account.name;
    EXPECT_EQ(account.lost, 0u) << account.name;
    EXPECT_FALSE(account.disturbs) << account.name;
  }
}

}  // namespace
}  // namespace lab::test
