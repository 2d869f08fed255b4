#include "played.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "evidence/collectors/syscalls.hpp"
#include "evidence/file.hpp"
#include "sandbox/confine.hpp"
#include "sandbox/sandbox.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/process.hpp"

namespace lab::test {
namespace {

using evidence::Event;

// Records over a pipe, as run/ has it.
class Teller : public evidence::Sink {
 public:
  explicit Teller(int pipe) : pipe_(pipe) {}
  void put(Event event) override { tell(evidence::to_record(event)); }
  void tell(const std::string& bytes) { sys::write_all(pipe_, bytes, "evidence pipe"); }

 private:
  int pipe_;
};

void execute(const Play& play) {
  std::vector<char*> words;
  for (const auto& word : play.program) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  ::_exit(127);
}

void confine(const Play& play) {
  sandbox::confine({.program = true, .identity = sandbox::invoker()});
  if (play.confine) play.confine();
}

sys::Descriptor child_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sys::check(::sigprocmask(SIG_BLOCK, &set, nullptr), "block SIGCHLD");
  return sys::Descriptor(sys::check(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "signalfd"));
}

void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Waits until the program has ended, or for as long as it was given.
int serve(const Play& play, pid_t program, const sys::Descriptor& signals,
          const std::function<bool(pid_t, int)>& stopped, const std::function<void()>& over) {
  const auto deadline =
      sys::Deadline::after_ns(std::int64_t{play.milliseconds ? play.milliseconds : 60'000} * 1'000'000);
  bool told = false;
  while (true) {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, __WALL | WNOHANG)) > 0;) {
      if (stopped(pid, status) || pid != program) continue;
      if (!told) over();
      return status;
    }
    if (deadline.passed() && !std::exchange(told, true)) {
      over();
      ::kill(program, SIGKILL);
    }
    pollfd waiting{signals.get(), POLLIN, 0};
    ::poll(&waiting, 1, told ? -1 : deadline.poll_ms());
    signalfd_siginfo info[16];
    while (::read(signals.get(), info, sizeof info) > 0) {
    }
  }
}

using Init = std::function<int(sys::Descriptor& go, Teller& teller)>;

// Makes a sandbox whose init calls `init`, and gathers what it tells.
Played play_in_sandbox(const Init& init, const std::function<void(pid_t init)>& before_go) {
  auto records = sys::make_pipe(), go = sys::make_pipe();
  sandbox::Plan plan;
  plan.identity = sandbox::invoker();
  plan.keep = {records.write.get(), go.read.get()};
  auto box = sandbox::Sandbox::make(plan, [&] {
    sandbox::furnish(plan);
    go.write.reset();
    records.read.reset();
    Teller teller(records.write.get());
    return init(go.read, teller);
  });
  records.write.reset();
  go.read.reset();
  if (before_go) before_go(box.pid());
  sys::write_all(go.write.get(), "x", "go");

  Played played;
  std::string bytes;
  char buffer[65536];
  const evidence::RecordSink sink{
      [&](Event&& event) { played.events.push_back(std::move(event)); },
      [&](evidence::Collector&& account) { played.accounts.push_back(std::move(account)); }};
  while (true) {
    const auto n = ::read(records.read.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    bytes.append(buffer, static_cast<std::size_t>(n));
    bytes.erase(0, evidence::take_records(bytes, sink));
  }
  const int ended = box.wait();
  EXPECT_TRUE(WIFEXITED(ended) && WEXITSTATUS(ended) == 0) << "init ended with wait status " << ended;
  return played;
}

void tell_end(Teller& teller, pid_t program, int status) {
  evidence::ProcessExit exit;
  exit.pid = program;
  exit.status = status;  // the raw wait status
  teller.put({.t_ns = sys::now_ns(), .what = exit});
}

void settle(Played& played) {
  std::stable_sort(played.events.begin(), played.events.end(),
                   [](const Event& a, const Event& b) { return a.t_ns < b.t_ns; });
  for (const auto& exit : played.all<evidence::ProcessExit>()) {
    played.status = exit.status;
    played.pid = exit.pid;
  }
}

void wait_for_go(sys::Descriptor& go) {
  char byte = 0;
  while (::read(go.get(), &byte, 1) == -1 && errno == EINTR) {
  }
}

}  // namespace

const evidence::Collector& Played::account(const std::string& name) const {
  for (const auto& one : accounts)
    if (one.name == name) return one;
  throw sys::LabError("no account of " + name);
}

Play script(const std::string& text) {
  return {.program = {"/usr/bin/python3", "-I", "-S", "-c", text}, .furnish = {}, .confine = {}};
}

evidence::KernelProbe& probe() {
  static const auto one = evidence::KernelProbe::load({});
  return *one;
}

namespace {

// init of a run without a tracer inside.
int plain_init(const Play& play, sys::Descriptor& go, Teller& teller) {
  if (play.furnish) play.furnish();
  const auto signals = child_signals();
  wait_for_go(go);
  const pid_t program = sys::check(::fork(), "fork");
  if (program == 0) {
    unblock_signals();
    confine(play);
    execute(play);
  }
  const int status = serve(
      play, program, signals, [](pid_t, int) { return false; }, [] {});
  tell_end(teller, program, status);
  return 0;
}

}  // namespace

Played unwatched(const Play& play) {
  return play_in_sandbox([&](sys::Descriptor& go, Teller& teller) { return plain_init(play, go, teller); }, {});
}

Played by_bpf(const Play& play) {
  auto& watching = probe();
  evidence::KernelProbe::Sandbox id = 0;
  auto played = play_in_sandbox([&](sys::Descriptor& go, Teller& teller) { return plain_init(play, go, teller); },
                                [&](pid_t init) { id = watching.watch(evidence::namespaces_of(init)); });
  const evidence::KernelProbe::Deliver deliver = [&](evidence::KernelProbe::Sandbox from, Event&& event) {
    if (from == id) played.events.push_back(std::move(event));
  };
  watching.drain(deliver);
  played.accounts = watching.finish(id, deliver);
  settle(played);
  return played;
}

Played by_ptrace(const Play& play) {
  auto played = play_in_sandbox(
      [&](sys::Descriptor& go, Teller& teller) {
        if (play.furnish) play.furnish();
        const auto signals = child_signals();
        wait_for_go(go);
        evidence::CallTracer tracer;
        evidence::TraceGate gate;
        const pid_t program = sys::check(::fork(), "fork");
        if (program == 0) {
          gate.pass();
          unblock_signals();
          sandbox::confine({.program = true, .identity = sandbox::invoker()});
          tracer.load_filter();
          if (play.confine) play.confine();
          execute(play);
        }
        tracer.adopt(program, play.every_call);
        gate.open();
        const int status = serve(
            play, program, signals, [&](pid_t pid, int what) { return tracer.handle(pid, what, teller); },
            [&] { tracer.finish(teller); });
        tell_end(teller, program, status);
        for (const auto& account : tracer.accounts()) teller.tell(evidence::to_record(account));
        return 0;
      },
      {});
  settle(played);
  return played;
}

}  // namespace lab::test
