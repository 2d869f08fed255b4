// What a run costs, beside what it can't cost less than, in one process and one run: compare rows, not machines.
//
//   floor            a program that makes the same namespaces, brings loopback up and exits (bench/floor.cpp)
//   run/…            a whole `lab run close-on-accept` as a process: aim 4 times the floor, as root and rootless
//   sandbox          making, furnishing and dropping a sandbox
//   read             reading a scenario
//   rules/N          compiling and committing N rules; rules_nft/N is `nft -f` of the same rules as a process
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "firewall/compiler.hpp"
#include "sandbox/sandbox.hpp"
#include "scenario/reader.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

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

void process(benchmark::State& state, const std::vector<std::string>& words) {
  for (auto _ : state)
    if (const int status = run(words)) state.SkipWithError(fmt::format("{}: exit status {}", words[0], status).c_str());
}

void floor_(benchmark::State& state) { process(state, {FLOOR_PROGRAM}); }
void lab_run(benchmark::State& state) { process(state, {LAB_PROGRAM, "run", (kSource / "scenarios/close-on-accept.toml").string()}); }
void lab_run_rootless(benchmark::State& state) {
  process(state, {LAB_PROGRAM, "run", "--rootless", (kSource / "scenarios/close-on-accept.toml").string()});
}
void lab_run_blind(benchmark::State& state) {
  process(state, {LAB_PROGRAM, "run", "--without", "all", (kSource / "scenarios/close-on-accept.toml").string()});
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
    benchmark::DoNotOptimize(lab::scenario::read_scenario(kSource / "scenarios/firewall-drop.toml", {kSource / "rules"}));
}

// Six expressions each; no two alike.
std::vector<lab::scenario::Rule> rules(std::int64_t count) {
  std::vector<lab::scenario::Rule> all;
  for (std::int64_t i = 0; i < count; ++i) {
    lab::scenario::Rule rule{.name = fmt::format("rule-{}", i)};
    rule.match.length = lab::scenario::Comparison{.op = lab::scenario::Comparison::Op::more, .value = static_cast<std::uint64_t>(i % 60000 + 40)};
    all.push_back(std::move(rule));
  }
  return all;
}

constexpr const char* kServer = "127.0.0.1";
lab::firewall::Flow flow() {
  return {.family = lab::scenario::Family::ipv4, .server_address = kServer, .client_address = kServer, .server_port = 8080};
}

// Runs `work` in a fresh sandbox and takes the seconds that it measured.
void in_sandbox(benchmark::State& state, const std::function<double()>& work) {
  for (auto _ : state) {
    auto pipe = lab::sys::make_pipe();
    auto plan = small_plan();
    plan.keep = {pipe.write.get()};
    auto box = lab::sandbox::Sandbox::make(plan, [&] {
      lab::sandbox::furnish(plan);
      const double seconds = work();
      return ::write(pipe.write.get(), &seconds, sizeof seconds) == sizeof seconds ? 0 : 1;
    });
    double seconds = 0;
    if (::read(pipe.read.get(), &seconds, sizeof seconds) != sizeof seconds || box.wait() != 0) state.SkipWithError("the sandbox failed");
    state.SetIterationTime(seconds);
  }
}

double timed(const std::function<void()>& work) {
  const auto began = lab::sys::now_ns();
  work();
  return static_cast<double>(lab::sys::now_ns() - began) / 1e9;
}

void commit(benchmark::State& state) {
  const auto all = rules(state.range(0));
  in_sandbox(state, [&] {
    return timed([&] {
      lab::firewall::Ruleset set(lab::scenario::Family::ipv4, flow());
      set.add(all);
    });
  });
}

void commit_nft(benchmark::State& state) {
  const auto file = std::filesystem::temp_directory_path() / fmt::format("lab-bench-{}.nft", ::getpid());
  std::ofstream(file) << lab::firewall::to_nft(rules(state.range(0)), flow());
  std::filesystem::permissions(file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  const std::string text = file.string();
  for (auto _ : state) {   // the same rules by the tool that administrators use, in a network namespace of its own
    const auto began = lab::sys::now_ns();
    if (run({"unshare", "-n", "nft", "-f", text})) state.SkipWithError("nft -f failed");
    state.SetIterationTime(static_cast<double>(lab::sys::now_ns() - began) / 1e9);
  }
  std::filesystem::remove(file);
}

BENCHMARK(floor_)->Name("floor")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(lab_run)->Name("run/default")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(lab_run_rootless)->Name("run/rootless")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(lab_run_blind)->Name("run/no-collectors")->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(sandbox)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(read)->Unit(benchmark::kMicrosecond);
BENCHMARK(commit)->Name("rules")->Arg(1)->Arg(100)->Arg(10000)->Unit(benchmark::kMillisecond)->UseManualTime();
BENCHMARK(commit_nft)->Name("rules_nft")->Arg(1)->Arg(100)->Arg(10000)->Unit(benchmark::kMillisecond)->UseManualTime();

}  // namespace

BENCHMARK_MAIN();
