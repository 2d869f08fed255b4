// Many runs under one poll loop: each is a sandbox of its own, so that one scenario's crash is that scenario's result.
#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <list>
#include <optional>
#include <span>
#include <utility>

#include "evidence/collectors/kernel.hpp"
#include "run/flight.hpp"
#include "run/run.hpp"
#include "system/clock.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"

namespace lab::run {

namespace {

Failure kind_of(const std::exception& error) {
  return dynamic_cast<const sys::Unavailable*>(&error) ? Failure::unavailable : Failure::lab;
}

struct Slot {
  std::size_t index;
  const scenario::Scenario* scenario;
  std::unique_ptr<Flight> flight;
};

// Judged; what is left of its sandbox is on its way out.
struct Landed {
  std::size_t index;
  std::unique_ptr<Flight> flight;
  std::optional<report::Report> report;  // still to be told
};
// Closing packet sockets makes a sandbox's end wait, not work: others run meanwhile, up to so many.
constexpr std::size_t kMostLanded = 64;

// Handed on as they come: whoever wants them in order keeps what that takes, which is less than a report of each.
class Results {
 public:
  explicit Results(const std::function<bool(std::size_t, report::Report&&)>& done) : done_(done) {}
  void put(std::size_t index, report::Report&& report) {
    if (go_on_) go_on_ = done_(index, std::move(report));
  }
  bool go_on() const { return go_on_; }

 private:
  const std::function<bool(std::size_t, report::Report&&)>& done_;
  bool go_on_ = true;
};

std::string to_text(const std::vector<scenario::Mistake>& mistakes) {
  std::string text;
  for (const auto& mistake : mistakes) text += (text.empty() ? "" : "\n") + scenario::to_string(mistake);
  return text;
}

bool runs_program(const scenario::Scenario& scenario) {
  return std::any_of(scenario.actors.begin(), scenario.actors.end(),
                     [](const auto& actor) { return !actor.run.empty(); });
}

// Whether the kernel will have little to tell: everybody's steps once, for so many connections at most.
bool is_small(const scenario::Scenario& scenario) {
  constexpr std::uint64_t kFew = 16;
  std::uint64_t all = 0;
  for (const auto& actor : scenario.actors) all += actor.repeat ? actor.parallel * *actor.repeat : kFew + 1;
  return all <= kFew && !runs_program(scenario);
}

bool without(const Options& options, const char* name) {
  return std::find(options.without.begin(), options.without.end(), name) != options.without.end();
}

// One probe serves the whole batch: loading it costs as much as a small run. It is loaded when it is first asked for:
// the sandbox that it is to watch furnishes itself meanwhile.
// Steps record themselves: calls are watched only where an outside program makes some.
class SharedProbe {
 public:
  SharedProbe(const Options& options, bool programs, bool little)
      : wanted_{.packets = !without(options, "kernel"),
                .calls = programs && !without(options, "syscalls"),
                .hurry = options.alone,
                .little = little},
        root_(!options.rootless && ::geteuid() == 0) {}

  evidence::KernelProbe* get() {
    if (!std::exchange(asked_, true)) load();
    return probe_.get();
  }
  evidence::KernelProbe* loaded() const { return probe_.get(); }
  void put_away() { probe_.reset(); }
  // Of its collectors, where it could not be loaded.
  const std::vector<evidence::Collector>& off() const { return off_; }

 private:
  void load() {
    std::string why = "switched off";
    if (wanted_.packets || wanted_.calls) try {
        if (!root_) throw sys::Unavailable("needs root");
        probe_ = evidence::KernelProbe::load(wanted_);
        return;
      } catch (const std::exception& reason) {
        why = reason.what();
      }
    off_.push_back({.name = "kernel", .why = why});
    off_.push_back({.name = "syscalls", .why = why});
  }
  evidence::KernelProbe::Wanted wanted_;
  bool root_, asked_ = false;
  std::unique_ptr<evidence::KernelProbe> probe_;
  std::vector<evidence::Collector> off_;
};

// Reads from whoever has something to say; returns those that have landed.
class Sky {
 public:
  Sky(const Options& options, const std::vector<scenario::Scenario>& scenarios)
      : options_(options),
        probe_(options, std::any_of(scenarios.begin(), scenarios.end(), runs_program),
               options.alone && is_small(scenarios.front())) {}
  std::size_t flying() const { return slots_.size(); }
  std::size_t landed() const { return landed_.size(); }

  void launch(std::size_t index, const scenario::Scenario& scenario, Results& results) {
    try {
      if (const auto problems = examine(scenario); !problems.empty())
        return results.put(index, failed(scenario, Failure::invalid, to_text(problems)));
      slots_.push_back(
          {index, &scenario, std::make_unique<Flight>(scenario, options_, [this] { return probe_.get(); })});
      probe_.get();
    } catch (const std::exception& error) {
      results.put(index, failed(scenario, kind_of(error), error.what()));
    }
  }

  void listen(Results& results) {
    std::vector<pollfd> waiting;
    int timeout = 1000;
    for (auto& slot : slots_) {
      waiting.push_back({slot.flight->descriptor(), POLLIN, 0});
      timeout = std::min(timeout, slot.flight->last_call().poll_ms());
    }
    waiting.push_back({endings_.get(), POLLIN, 0});
    auto* probe = probe_.loaded();
    if (probe) waiting.push_back({probe->descriptor(), POLLIN, 0});
    const int n = ::poll(waiting.data(), waiting.size(), timeout);
    if (n < 0 && errno != EINTR) sys::check(n, "poll the sandboxes");
    const auto asked = sys::now_ns();
    if (probe && n > 0 && waiting.back().revents) drain();
    if (n > 0 && waiting[slots_.size()].revents) leave_ended(results);
    std::size_t i = 0;
    for (auto at = slots_.begin(); at != slots_.end(); ++i) {
      const auto slot = at++;
      const bool heard = n > 0 && waiting[i].revents != 0;
      if (still_flying(*slot, heard, asked)) continue;
      auto report = land(*slot);
      watch_end(EPOLL_CTL_ADD, slot->index, *slot->flight);
      auto& landed = landed_.emplace_back(Landed{slot->index, std::move(slot->flight), std::nullopt});
      slots_.erase(slot);
      if (options_.timed)
        landed.report = std::move(report);
      else
        results.put(landed.index, std::move(report));  // told while the sandbox is taken down
    }
    if (options_.alone && slots_.empty()) probe_.put_away();  // while init is on its way out
  }

  // Whoever is under way ends early and is judged; false where nobody is.
  bool stop() {
    bool any = false;
    for (auto& slot : slots_) any |= slot.flight->stop();
    return any || !landed_.empty();
  }

  // Waits for those that have landed.
  void settle(Results& results) {
    while (!landed_.empty()) leave(landed_.begin(), results);
  }

 private:
  void watch_end(int how, std::size_t index, const Flight& flight) {
    epoll_event end{.events = EPOLLIN, .data = {.u64 = index}};
    sys::check(::epoll_ctl(endings_.get(), how, flight.ending(), &end), "watch the end of a sandbox");
  }
  void leave_ended(Results& results) {
    epoll_event ends[kMostLanded];
    const int n = sys::check(::epoll_wait(endings_.get(), ends, kMostLanded, 0), "poll the ends of sandboxes");
    for (const auto& end : std::span(ends, static_cast<std::size_t>(n)))
      leave(std::find_if(landed_.begin(), landed_.end(), [&](const auto& one) { return one.index == end.data.u64; }),
            results);
  }
  void leave(std::list<Landed>::iterator one, Results& results) {
    watch_end(EPOLL_CTL_DEL, one->index, *one->flight);
    if (one->report) {
      one->flight->leave(*one->report);
      results.put(one->index, std::move(*one->report));
    } else {
      one->flight->wait();
    }
    landed_.erase(one);
  }

  // Who had something to say when they were asked is not late: lab may have been held up since, by whoever reads what
  // it prints.
  static bool still_flying(Slot& slot, bool heard, std::int64_t asked) {
    try {
      if (heard) return slot.flight->listen();
    } catch (const std::exception& error) {
      slot.flight->abort(error.what());
      return false;
    }
    if (slot.flight->last_call().at() > asked) return true;
    slot.flight->abort("the sandbox did not end by itself long after its deadline");
    return false;
  }
  void drain() {
    if (auto* probe = probe_.loaded())
      probe->drain([&](evidence::KernelProbe::Sandbox sandbox, evidence::Event&& event) {
        for (auto& slot : slots_)
          if (slot.flight->watched() == sandbox) return slot.flight->see(std::move(event));
      });
  }
  report::Report land(Slot& slot) {
    try {
      // Every actor has been reaped before init's last word: judging need not wait for the namespaces to be taken down.
      if (!slot.flight->whole()) slot.flight->wait();
      drain();  // the last events of its processes come with their end
      for (const auto& account : probe_.off())
        if (account.name == "kernel" || !slot.flight->traces_calls()) slot.flight->account(account);
      return slot.flight->land();
    } catch (const std::exception& error) {
      return failed(*slot.scenario, kind_of(error), error.what());
    }
  }
  const Options& options_;
  SharedProbe probe_;
  std::list<Slot> slots_;
  std::list<Landed> landed_;
  // Of those that have landed: many, and most of the time none has ended.
  sys::Descriptor endings_{sys::check(::epoll_create1(EPOLL_CLOEXEC), "epoll")};
};

}  // namespace

void run_many(const Batch& batch, const Options& options, const volatile bool& interrupted) {
  const auto& scenarios = *batch.scenarios;
  const std::size_t total = scenarios.size() * batch.repeat;
  Results results(batch.done);
  Options ours = options;
  ours.alone = total == 1;
  Sky sky(ours, scenarios);
  std::size_t next = 0;
  bool stopping = false;
  while (results.go_on() && (next < total || sky.flying() || sky.landed())) {
    if (interrupted && !std::exchange(stopping, true) && !(ours.alone && sky.stop())) break;
    while (next < total && sky.flying() < batch.jobs && sky.landed() < kMostLanded) {
      sky.launch(next, scenarios[next / batch.repeat], results);
      ++next;
    }
    if (batch.progress) batch.progress(next - sky.flying() - sky.landed(), sky.flying(), total);
    if (sky.flying() || sky.landed()) sky.listen(results);
  }
  sky.settle(results);
}

report::Report run_one(const scenario::Scenario& scenario, const Options& options) {
  report::Report result;
  const std::vector<scenario::Scenario> one{scenario};
  const bool never = false;
  run_many({.scenarios = &one,
            .done =
                [&](std::size_t, report::Report&& report) {
                  result = std::move(report);
                  return true;
                }},
           options, never);
  return result;
}

}  // namespace lab::run
