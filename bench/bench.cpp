// What a run costs, beside what it can't cost less than, in one process and one run: compare rows, not machines.
//
//   floor            a program that makes the same namespaces, brings loopback up and exits (bench/floor.cpp)
//   run/…            a whole `lab run close-on-accept` as a process: aim 4 times the floor, as root and rootless
//   one/…            both again, one at a time: without the kernel's work on the namespaces of the run before
//   sandbox          making, furnishing and dropping a sandbox
//   read             reading a scenario
//   rules/N          compiling and committing N rules; `of_commit` is the whole as a multiple of the one system call in
//                    which the kernel commits the batch: aim 1.25 at 10,000; rules_nft/N is `nft -f` of the same rules
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "firewall/compiler.hpp"
#include "sandbox/sandbox.hpp"
#include "scenario/reader.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace {
std::int64_t longest_send_ns = 0;
}

// In place of the C library's: a rule batch is handed over in one send, and the kernel has committed it on return.
extern "C" ssize_t send(int socket, const void* bytes, size_t length, int flags) {
  const auto began = lab::sys::now_ns();
  const auto sent = ::sendto(socket, bytes, length, flags, nullptr, 0);
  longest_send_ns = std::max(longest_send_ns, lab::sys::now_ns() - began);
  return sent;
}

namespace {

const std::filesystem::path kSource = LAB_SOURCE_DIR;

int run(std::vector<std::string> words) {
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, argv[0], &quiet, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&quiet);
  if (error) return 127;
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

// `worst`: the highest exit status that is no failure of the run itself.
void process(benchmark::State& state, const std::vector<std::string>& words, int worst = 0) {
  for (auto _ : state)
    if (const int status = run(words); status > worst)
      state.SkipWithError(fmt::format("{}: exit status {}", words[0], status).c_str());
}

// A run as a user meets it: the kernel has taken down what was there before. Nothing tells when it has; the pause is
// five times what was seen.
void one_at_a_time(benchmark::State& state, const std::vector<std::string>& words) {
  for (auto _ : state) {
    ::usleep(50'000);
    const auto began = lab::sys::now_ns();
    if (const int status = run(words)) state.SkipWithError(fmt::format("{}: exit status {}", words[0], status).c_str());
    state.SetIterationTime(static_cast<double>(lab::sys::now_ns() - began) / 1e9);
  }
}

const std::vector<std::string> kFloor = {FLOOR_PROGRAM};
const std::vector<std::string> kRun = {LAB_PROGRAM, "run", (kSource / "scenarios/close-on-accept.toml").string()};
const std::vector<std::string> kRootless = {kRun[0], kRun[1], "--rootless", kRun[2]};

void floor_(benchmark::State& state) { process(state, kFloor); }
void lab_run(benchmark::State& state) { process(state, kRun); }
void lab_run_rootless(benchmark::State& state) { process(state, kRootless); }
void one_floor(benchmark::State& state) { one_at_a_time(state, kFloor); }
void one_run(benchmark::State& state) { one_at_a_time(state, kRun); }
void one_run_rootless(benchmark::State& state) { one_at_a_time(state, kRootless); }
void lab_run_blind(benchmark::State& state) {
  auto words = kRun;
  for (const char* one :
       {"wire", "nft-trace", "changes", "counters", "conntrack", "sockets", "processes", "kernel", "syscalls"})
    words.insert(words.end(), {"--without", one});
  process(state, words, 1);  // it expects a cause, which nobody can tell
}

lab::sandbox::Plan small_plan() {
  lab::sandbox::Plan plan{.identity = lab::sandbox::invoker()};
  plan.programs = false;
  return plan;
}

void sandbox(benchmark::State& state) {
  for (auto _ : state) {
    const auto plan = small_plan();
    auto box = lab::sandbox::Sandbox::make(plan, [&] {
      lab::sandbox::furnish(plan);
      return 0;
    });
    box.wait();
  }
}

void read(benchmark::State& state) {
  for (auto _ : state)
    benchmark::DoNotOptimize(
        lab::scenario::read_scenario(kSource / "scenarios/firewall-drop.toml", {kSource / "rules"}));
}

// Six expressions each; no two alike.
std::vector<lab::scenario::Rule> rules(std::int64_t count) {
  std::vector<lab::scenario::Rule> all;
  for (std::int64_t i = 0; i < count; ++i) {
    lab::scenario::Rule rule{.name = fmt::format("rule-{}", i)};
    rule.match.length = lab::scenario::Comparison{.op = lab::scenario::Comparison::Op::more,
                                                  .value = static_cast<std::uint64_t>(i % 60000 + 40)};
    all.push_back(std::move(rule));
  }
  return all;
}

constexpr const char* kServer = "127.0.0.1";
lab::firewall::Flow flow() {
  return {
      .family = lab::scenario::Family::ipv4, .server_address = kServer, .client_address = kServer, .server_port = 8080};
}

struct Took {
  double seconds = 0, kernel = 0;
};

// Runs `work` in a fresh sandbox and takes the seconds that it measured.
void in_sandbox(benchmark::State& state, const std::function<Took()>& work) {
  Took all;
  for (auto _ : state) {
    auto pipe = lab::sys::make_pipe();
    auto plan = small_plan();
    plan.keep = {pipe.write.get()};
    auto box = lab::sandbox::Sandbox::make(plan, [&] {
      lab::sandbox::furnish(plan);
      const Took took = work();
      return ::write(pipe.write.get(), &took, sizeof took) == sizeof took ? 0 : 1;
    });
    Took took;
    if (::read(pipe.read.get(), &took, sizeof took) != sizeof took || box.wait() != 0)
      state.SkipWithError("the sandbox failed");
    state.SetIterationTime(took.seconds);
    all.seconds += took.seconds;
    all.kernel += took.kernel;
  }
  state.counters["of_commit"] = all.seconds / all.kernel;
}

Took timed(const std::function<void()>& work) {
  longest_send_ns = 0;
  const auto began = lab::sys::now_ns();
  work();
  return {static_cast<double>(lab::sys::now_ns() - began) / 1e9, static_cast<double>(longest_send_ns) / 1e9};
}

void commit(benchmark::State& state) {
  const auto all = rules(state.range(0));
  in_sandbox(state, [&] {
    std::optional<lab::firewall::Ruleset> set;  // its end is another matter: the table goes, after a grace period
    return timed([&] {
      set.emplace(lab::scenario::Family::ipv4, flow());
      set->add(all);
    });
  });
}

void commit_nft(benchmark::State& state) {
  const auto file = std::filesystem::temp_directory_path() / fmt::format("lab-bench-{}.nft", ::getpid());
  std::ofstream(file) << lab::firewall::to_nft(rules(state.range(0)), flow());
  std::filesystem::permissions(file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  const std::string text = file.string();
  for (auto _ : state) {  // the same rules by the tool that administrators use, in a network namespace of its own
    const auto began = lab::sys::now_ns();
    if (run({"unshare", "-n", "nft", "-f", text})) state.SkipWithError("nft -f failed");
    state.SetIterationTime(static_cast<double>(lab::sys::now_ns() - began) / 1e9);
  }
  std::filesystem::remove(file);
}

BENCHMARK(floor_)->Name("floor")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(lab_run)->Name("run/default")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(lab_run_rootless)->Name("run/rootless")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(one_floor)->Name("one/floor")->Unit(benchmark::kMillisecond)->UseManualTime();
BENCHMARK(one_run)->Name("one/default")->Unit(benchmark::kMillisecond)->UseManualTime();
BENCHMARK(one_run_rootless)->Name("one/rootless")->Unit(benchmark::kMillisecond)->UseManualTime();
BENCHMARK(lab_run_blind)->Name("run/no-collectors")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(sandbox)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(read)->Unit(benchmark::kMicrosecond);
BENCHMARK(commit)->Name("rules")->Arg(1)->Arg(100)->Arg(10000)->Unit(benchmark::kMillisecond)->UseManualTime();
BENCHMARK(commit_nft)->Name("rules_nft")->Arg(1)->Arg(100)->Arg(10000)->Unit(benchmark::kMillisecond)->UseManualTime();

}  // namespace

BENCHMARK_MAIN();
