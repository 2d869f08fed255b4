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

Watchers::Watchers(const std::vector<sandbox::Netns>& namespaces, const Options& options) {
  const auto open = [&](const char* name, const auto& make) {
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
        open(known.name, [&] { sources_.push_back(known.make(ns.name, options)); });
      open("sockets", [&] { sockets_.push_back(evidence::make_sockets(ns.name)); });
      if (off(options, "sockets")) readiness_.push_back(evidence::make_sockets(ns.name));
    });
  open("processes", [&] { processes_ = evidence::make_processes(); });
}

void Watchers::start(evidence::Sink& sink) {
  for (auto& source : sources_) source->start(sink);
  for (auto& source : sockets_) source->start(sink);
}

std::vector<int> Watchers::descriptors() const {
  std::vector<int> all;
  for (const auto& source : sources_)
    for (int fd : source->descriptors()) all.push_back(fd);
  return all;
}

void Watchers::drain(evidence::Sink& sink) {
  for (auto& source : sources_) source->drain(sink);
  for (auto& source : sockets_) source->drain(sink);
}

void Watchers::watch_process(int pid) {
  if (processes_) processes_->watch(pid);
}

void Watchers::snapshot(evidence::Sink& sink, const std::string& when, bool processes) {
  for (auto& source : sockets_) source->snapshot(sink, when);
  if (processes && processes_) processes_->snapshot(sink, when);
}

void Watchers::listeners(evidence::Sink& sink) {
  auto& sources = sockets_.empty() ? readiness_ : sockets_;
  for (auto& source : sources) source->snapshot(sink, "change");
}

void Watchers::finish(evidence::Sink& sink) {
  drain(sink);
  for (auto& source : sockets_) source->finish(sink);
  if (processes_) processes_->snapshot(sink, "end");
  for (auto& source : sources_) source->finish(sink);
}

// One line a source: where it watches several namespaces, its events add up.
std::vector<evidence::Collector> Watchers::accounts() const {
  std::vector<evidence::Collector> all = off_;
  const auto add = [&](const evidence::Collector& one) {
    const auto at =
        std::find_if(all.begin(), all.end(), [&](const auto& c) { return c.name == one.name && c.on == one.on; });
    if (at == all.end()) {
      all.push_back(one);
      return;
    }
    at->events += one.events;
    at->lost += one.lost;
    at->disturbs |= one.disturbs;
    if (at->why.empty()) at->why = one.why;
  };
  for (const auto& source : sources_) add(source->account());
  for (const auto& source : sockets_) add(source->account());
  if (processes_) add({.name = "processes", .on = true});
  return all;
}

}  // namespace lab::run
