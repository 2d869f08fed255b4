#include "run/flight.hpp"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <sys/wait.h>

#include <algorithm>
#include <filesystem>

#include "run/orders.hpp"
#include "run/telling.hpp"
#include "system/error.hpp"
#include "system/process.hpp"
#include "system/version.hpp"

namespace lab::run {

namespace {

// How much longer than its own deadline a sandbox may take for last snapshots and clean-up. Set-up may take the whole
// as well: what it took on a busy machine is nothing that the run has to make up for.
constexpr std::int64_t kSlack = 10'000'000'000;
// The same of one that was told to stop: somebody sits there and waits.
constexpr std::int64_t kStopPatience = 3'000'000'000;

sys::Deadline last_call_of(const scenario::Scenario& scenario) {
  return sys::Deadline::after_ns(scenario.timeout.count() + scenario.grace.count() + kSlack);
}

std::string absolute_folder(const std::string& path) {
  std::error_code ignored;
  const auto folder = std::filesystem::absolute(path, ignored).parent_path();
  return folder.string();
}

evidence::Provenance provenance(const scenario::Scenario& scenario, const Options& options) {
  evidence::Provenance p;
  p.version = kVersion;
  utsname machine{};
  if (::uname(&machine) == 0) {
    p.kernel = machine.release;
    p.machine = machine.machine;
  }
  p.command = options.command;
  p.scenario = scenario.name;
  p.root = ::geteuid() == 0 && !options.rootless;
  p.started_ns = sys::now_ns();
  p.realtime_offset_ns = sys::realtime_ahead_ns();
  return p;
}

sandbox::Plan plan_of(const scenario::Scenario& scenario) {
  sandbox::Plan plan{.identity = sandbox::invoker(), .network = scenario.network};
  std::error_code ignored;
  plan.visible.push_back(std::filesystem::current_path(ignored).string());
  if (!scenario.path.empty()) plan.visible.push_back(absolute_folder(scenario.path));
  plan.programs =
      std::any_of(scenario.actors.begin(), scenario.actors.end(), [](const auto& a) { return !a.run.empty(); });
  return plan;
}

}  // namespace

Setup setup_for(const scenario::Scenario& scenario, const Options& options) {
  return {.scenario = &scenario,
          .options = &options,
          .plan = plan_of(scenario),
          .folder = scenario.path.empty() ? std::string() : absolute_folder(scenario.path),
          .records = {},
          .go = {},
          .cgroups = {},
          .programs = nullptr};
}

Flight::Flight(const scenario::Scenario& scenario, const Options& options, Probe probe)
    : scenario_(scenario),
      options_(options),
      probe_(std::move(probe)),
      listener_(gathered_, {.ready = [this] { ready(); }, .attach = [this] { attach(); }}),
      began_ns_(sys::now_ns()),
      last_call_(last_call_of(scenario)) {
  gathered_.timeline.provenance = provenance(scenario, options);
  auto records = sys::make_pipe();
  auto go = sys::make_pipe();
  // One pipe's worth of evidence is what init can leave behind without waiting for lab (man fcntl, F_SETPIPE_SZ).
  ::fcntl(records.write.get(), F_SETPIPE_SZ, 1024 * 1024);
  Setup setup = setup_for(scenario, options);
  setup.trace_calls = traces_calls();
  setup.records = std::move(records.write);
  setup.go = std::move(go.read);
  setup.plan.keep = {setup.records.get(), setup.go.get()};
  programs_ = load_programs(scenario, options);
  setup.programs = &programs_;
  if (programs_.xdp.valid()) setup.plan.keep.push_back(programs_.xdp.get());
  groups_ = make_groups(scenario, options);
  setup.cgroups = doors_of(groups_);
  for (const auto& [name, doors] : setup.cgroups)
    for (const int door : doors.all()) setup.plan.keep.push_back(door);
  sandbox_ = std::make_unique<sandbox::Sandbox>(sandbox::Sandbox::make(setup.plan, [&] { return play(setup); }));
  records_ = std::move(records.read);
  go_ = std::move(go.write);
}

Flight::~Flight() = default;

// The scenario's own actors record their steps; only a stranger's program has to be traced.
bool Flight::traces_calls() const {
  const auto& without = options_.without;
  const bool wanted = std::find(without.begin(), without.end(), "syscalls") == without.end();
  const bool program =
      std::any_of(scenario_.actors.begin(), scenario_.actors.end(), [](const auto& a) { return !a.run.empty(); });
  return wanted && program && !probe_() && evidence::CallTracer::why_not().empty();
}

// init has furnished its sandbox and waits: from here on the probe sees what the actors do.
void Flight::ready() {
  if (auto* probe = probe_()) watched_ = probe->watch(evidence::namespaces_of(sandbox_->pid()));
  answer(0);
  last_call_ = last_call_of(scenario_);
  under_way_ = true;
}

bool Flight::stop() {
  if (!under_way_) return false;
  try {
    answer(Orders::kStop);
  } catch (const sys::KernelError&) {
    return true;  // it has ended meanwhile
  }
  last_call_ = sys::Deadline::after_ns(kStopPatience);
  return true;
}

void Flight::attach() {
  int error = 0;
  try {
    attach_to_groups(programs_.cgroup, groups_);
  } catch (const sys::KernelError& refused) {
    error = refused.code().value();
  }
  answer(error);
}

void Flight::answer(std::int32_t error) {
  // EPIPE: init has ended, and what it says of that, or how it ended, is still to be read.
  const auto n = ::write(go_.get(), &error, sizeof error);
  if (n == -1 && errno != EPIPE) sys::check(n, "write the go pipe");
}

bool Flight::listen() {
  char bytes[65536];
  const auto n = ::read(records_.get(), bytes, sizeof bytes);
  if (n < 0 && errno == EINTR) return true;
  if (sys::check(n, "read the evidence pipe") == 0) return false;
  listener_.take({bytes, static_cast<std::size_t>(n)});
  return !listener_.whole();
}

void Flight::abort(const std::string& why) {
  sandbox_->kill();
  if (gathered_.failure == Failure::none) {
    gathered_.failure = Failure::lab;
    gathered_.reason = why;
  }
}

void Flight::wait() { status_ = sandbox_->wait(); }

report::Report Flight::land() {
  if (!listener_.whole() && gathered_.failure == Failure::none) {
    gathered_.failure = Failure::lab;
    gathered_.reason =
        WIFSIGNALED(status_)
            ? "the sandbox's first process was killed by " + sys::signal_name(WTERMSIG(status_))
            : "the sandbox's first process ended without a word, status " + std::to_string(WEXITSTATUS(status_));
  }
  if (watched_) {
    const auto mine = [&](evidence::KernelProbe::Sandbox, evidence::Event&& event) { see(std::move(event)); };
    for (auto& account : probe_()->finish(*watched_, mine))
      gathered_.timeline.provenance.collectors.push_back(std::move(account));
  }
  gathered_.timeline.provenance.ended_ns = sys::now_ns();
  ended_ns_ = gathered_.ended_ns;
  return tell(scenario_, std::move(gathered_));
}

void Flight::leave(report::Report& report) {
  wait();
  const auto now = sys::now_ns();
  report.timing.teardown = ended_ns_ ? static_cast<double>(now - ended_ns_) / 1e6 : 0;
  report.timing.total = static_cast<double>(now - began_ns_) / 1e6;
}

report::Report failed(const scenario::Scenario& scenario, Failure kind, const std::string& reason) {
  Gathered gathered;
  gathered.failure = kind;
  gathered.reason = reason;
  return tell(scenario, std::move(gathered));
}

}  // namespace lab::run
