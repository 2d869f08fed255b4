#include "run/watchers.hpp"

#include <algorithm>

#include "system/error.hpp"

namespace lab::run {

namespace {

using Make = std::function<std::unique_ptr<evidence::Source>(const std::string& netns, const Options& options)>;
struct Known {
  const char* name;
  Make make;
};
const std::vector<Known>& known_sources() {
  static const std::vector<Known> all = {
      {"wire",
       [](auto& netns, auto& options) { return evidence::make_wire(netns, options.keep_frames, options.alone); }},
      {"nft-trace", [](auto& netns, auto&) { return evidence::make_trace(netns); }},
      {"changes", [](auto& netns, auto&) { return evidence::make_changes(netns); }},
      {"counters", [](auto& netns, auto&) { return evidence::make_counters(netns); }},
      {"conntrack", [](auto& netns, auto&) { return evidence::make_conntrack(netns); }},
  };
  return all;
}

bool off(const Options& options, const std::string& name) {
  return std::find(options.without.begin(), options.without.end(), name) != options.without.end();
}

}  // namespace

void Watchers::open(const std::vector<sandbox::Netns>& namespaces, const Options& options) {
  const auto try_to = [&](const char* name, const auto& make) {
    if (off(options, name)) {
      off_.push_back({.name = name, .why = "switched off"});
      return;
    }
    try {
      make();
    } catch (const std::exception& reason) {  // an automatic collector that can't be had is a noted absence
      off_.push_back({.name = name, .why = reason.what()});
    }
  };
  for (const auto& ns : namespaces)
    sandbox::inside(ns, [&] {
      for (const auto& known : known_sources())
        try_to(known.name, [&] {
          sources_.push_back({known.make(ns.name, options), "", namespaces.size() > 1 ? &ns : nullptr});
        });
      try_to("sockets", [&] { sockets_.push_back({evidence::make_sockets(ns.name), ""}); });
      if (off(options, "sockets")) readiness_.push_back({evidence::make_sockets(ns.name), ""});
    });
  try_to("processes", [&] { processes_.source = evidence::make_processes(); });
}

template <class Kind, class Use>
void Watchers::use(Watched<Kind>& one, const Use& with) {
  if (!one.source || !one.failed.empty()) return;
  try {
    with(*one.source);
  } catch (const std::exception& reason) {
    one.failed = reason.what();
  }
}

// libnftables reads the rules' texts in the namespace of the thread.
void Watchers::use_inside(Watched<evidence::Source>& one, const std::function<void(evidence::Source&)>& with) {
  use(one, [&](auto& source) {
    if (one.where)
      sandbox::inside(*one.where, [&] { with(source); });
    else
      with(source);
  });
}

void Watchers::start(evidence::Sink& sink) {
  for (auto& one : sources_) use_inside(one, [&](auto& source) { source.start(sink); });
  for (auto& one : sockets_) use(one, [&](auto& source) { source.start(sink); });
}

std::vector<int> Watchers::descriptors() const {
  std::vector<int> all;
  for (const auto& one : sources_) {
    if (!one.failed.empty()) continue;
    for (int fd : one.source->descriptors()) all.push_back(fd);
  }
  return all;
}

void Watchers::drain(evidence::Sink& sink) {
  for (auto& one : sources_) use(one, [&](auto& source) { source.drain(sink); });
  for (auto& one : sockets_) use(one, [&](auto& source) { source.drain(sink); });
}

void Watchers::watch_process(int pid) {
  use(processes_, [&](auto& processes) { processes.watch(pid); });
}

void Watchers::snapshot(evidence::Sink& sink, const std::string& when, bool processes) {
  for (auto& one : sockets_) use(one, [&](auto& source) { source.snapshot(sink, when); });
  if (processes) use(processes_, [&](auto& source) { source.snapshot(sink, when); });
}

// Not looking would be taken for nobody listening: here a failure is the run's.
void Watchers::listeners(evidence::Sink& sink) {
  for (auto& one : sockets_.empty() ? readiness_ : sockets_) {
    if (!one.failed.empty()) throw sys::LabError("look for listeners: " + one.failed);
    one.source->snapshot(sink, "change");
  }
}

void Watchers::finish(evidence::Sink& sink) {
  drain(sink);
  for (auto& one : sockets_) use(one, [&](auto& source) { source.finish(sink); });
  use(processes_, [&](auto& source) { source.snapshot(sink, "end"); });
  for (auto& one : sources_) use_inside(one, [&](auto& source) { source.finish(sink); });
}

namespace {

using Accounts = std::vector<evidence::Collector>;

// One line a source: where it watches several namespaces, its events add up, and one that it can't watch is a loss.
void add(Accounts& all, evidence::Collector one) {
  const auto at = std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.name == one.name; });
  if (at == all.end()) return all.push_back(std::move(one));
  const bool parted = at->on != one.on;
  at->on |= one.on;
  at->events += one.events;
  at->lost = std::max<std::uint64_t>(at->lost + one.lost, parted);
  at->disturbs |= one.disturbs;
  if (at->why.empty()) at->why = one.why;
}

void add(Accounts& all, evidence::Collector one, const std::string& failed) {
  if (!failed.empty()) {
    one.why = "stopped in the middle: " + failed;
    one.lost = std::max<std::uint64_t>(one.lost, 1);  // how many, nobody knows
  }
  add(all, std::move(one));
}

}  // namespace

std::vector<evidence::Collector> Watchers::accounts() const {
  Accounts all;
  for (const auto& one : off_) add(all, one);
  for (const auto& one : sources_) add(all, one.source->account(), one.failed);
  for (const auto& one : sockets_) add(all, one.source->account(), one.failed);
  if (processes_.source) add(all, {.name = "processes", .on = true}, processes_.failed);
  return all;
}

}  // namespace lab::run
