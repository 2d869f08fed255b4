// What the sandbox's init tells lab: framed messages over a pipe. Machine-local, never stored.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "evidence/event.hpp"
#include "run/gathered.hpp"
#include "system/descriptor.hpp"

namespace lab::run {

// init's end. Buffers; writes block, because lab always reads.
class Teller : public evidence::Sink {
 public:
  explicit Teller(sys::Descriptor pipe) : pipe_(std::move(pipe)) {}
  void put(evidence::Event event) override;
  // `see` is shown every event before it is sent.
  void show(std::function<void(const evidence::Event&)> see) { see_ = std::move(see); }
  void account(const evidence::Collector& collector);
  void operator_step(const evidence::StepDone& step);  // for the report, never evidence
  void seccomp(const FaultCount& count);
  void rule(const report::RuleLine& rule);  // for the report, like the two above
  void failure(Failure kind, const std::string& reason);
  void ready();   // set-up is finished
  void attach();  // asks lab to attach its program to the groups
  void times(std::int64_t started_ns, std::int64_t acting_ns, std::int64_t ended_ns, RunEnd end);
  void flush();
  std::uint64_t events() const { return events_; }

 private:
  void frame(char kind, std::string_view payload);
  sys::Descriptor pipe_;
  std::function<void(const evidence::Event&)> see_;
  std::string evidence_;  // records not framed yet
  std::string buffer_;
  std::uint64_t events_ = 0;
};

// lab's end: takes whatever bytes came, fills a Gathered.
class Listener {
 public:
  // What init asks for, and waits until it is done.
  struct Wishes {
    std::function<void()> ready, attach;
  };
  Listener(Gathered& gathered, Wishes wishes) : gathered_(gathered), wishes_(std::move(wishes)) {}
  void take(std::string_view bytes);
  bool whole() const { return whole_; }  // the last message has come: init finished by itself

 private:
  void message(char kind, std::string_view payload);
  Gathered& gathered_;
  Wishes wishes_;
  std::string buffer_;
  bool whole_ = false;
};

}  // namespace lab::run
