// System calls as both tracers hand them over (kernel_raw.h), and what becomes of them. Pure.
#pragma once

#include <sys/syscall.h>

#include <string>

#include "evidence/collectors/kernel_raw.h"
#include "evidence/event.hpp"

namespace lab::evidence {

// One call that is looked at. `format` has a letter for each argument, "-" for one that is not printed:
// syscalls_text.cpp.
struct KnownCall {
  int nr;
  const char* name;
  raw_look look;
  const char* format;
};
// nullptr for a call that is not looked at.
const KnownCall* known_call(unsigned nr);
// By number, for the BPF programs; RAW_CALLS of them.
void fill_looks(raw_look* looks);

// "3, 64, MSG_PEEK": what matters of the arguments, as strace prints it.
std::string call_text(const KnownCall& known, const raw_call& raw);

// Both ends of a connection; either may be unknown.
struct Ends {
  Address local, peer;
  bool tcp = false;  // MPTCP too; false: not known to be
  auto operator<=>(const Ends&) const = default;
};

Event call_event(const raw_call& raw, const Ends& ends);    // Call
Event filter_event(const raw_call& raw, const Ends& ends);  // FilterAct: a thread ended by SIGSYS
// The last of the repeated calls that were left out.
Event repeat_event(const raw_repeat_key& key, const raw_repeat& value, const Ends& ends);

}  // namespace lab::evidence
