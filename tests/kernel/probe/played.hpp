// Programs in a sandbox, and what a tracer saw of them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "evidence/collectors/kernel.hpp"
#include "evidence/event.hpp"

namespace lab::test {

struct Played {
  std::vector<evidence::Event> events;  // in order of time
  std::vector<evidence::Collector> accounts;
  int status = 0;  // wait status of the program
  int pid = 0;     // of the program, in the sandbox

  template <class T>
  std::vector<T> all(const std::function<bool(const T&)>& wanted = [](const T&) { return true; }) const {
    std::vector<T> found;
    for (const auto& event : events)
      if (const auto* one = std::get_if<T>(&event.what); one && wanted(*one)) found.push_back(*one);
    return found;
  }
  std::vector<evidence::Call> calls(const std::string& name) const {
    return all<evidence::Call>([&](const evidence::Call& call) { return call.name == name; });
  }
  std::vector<evidence::KernelEvent> kernel(const std::string& kind) const {
    return all<evidence::KernelEvent>([&](const evidence::KernelEvent& event) { return event.kind == kind; });
  }
  const evidence::Collector& account(const std::string& name) const;
};

struct Play {
  std::vector<std::string> program;
  std::function<void()> furnish;  // in init, with the namespace's capabilities, before the program starts
  std::function<void()> confine;  // in the program's process, last before exec (and before any filter of the tracer)
  bool every_call = false;        // ptrace: stop at every call
  int milliseconds = 0;           // the program is stopped after this long; 0: it ends by itself
};

Play script(const std::string& text);  // /usr/bin/python3 -c

// Seen by BPF; needs root. One probe serves all tests.
evidence::KernelProbe& probe();
Played by_bpf(const Play& play);
// Seen by ptrace; the whole sandbox belongs to an ordinary user.
Played by_ptrace(const Play& play);

// Seen by nobody.
Played unwatched(const Play& play);

// Skips the calling test, with the reason, where BPF can't be had.
#define NEEDS_BPF() \
  if (const auto why = lab::evidence::KernelProbe::why_not(); !why.empty()) GTEST_SKIP() << "BPF: " << why

}  // namespace lab::test
