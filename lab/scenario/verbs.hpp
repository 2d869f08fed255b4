// The step grammar as a table: each verb, who may use it, what it takes, and which system call it is.
#pragma once

#include <span>
#include <string_view>

#include "scenario/types.hpp"

namespace lab::scenario {

// What a word of a step is, and with it where in Step it goes.
enum class Takes {
  nothing,
  duration,      // duration
  size,          // size: bytes
  count,         // size
  code,          // size: an exit status
  text,          // text: quoted bytes
  text_or_size,  // text or size
  endpoint,      // endpoint
  connection,    // connection: the name of one
  body,          // body: quoted steps
  program,       // words: this and all that follow
  choice,        // words: one of `choices`
  label,         // words: what `signal` and `wait` meet by
  signal,        // words, and its number in size
  peer,          // words: the name of a connection (relay)
  option,        // words: a socket option; its value follows in words, parsed in size or text
  option_value,
  device,   // words
  address,  // words: ADDRESS or ADDRESS/PREFIX
  sysctl,   // words: net.…
  value,    // words: anything
  rule,     // words: a rule or a rule file
  actor,    // words: an actor, by its name or its role's
};

struct Argument {
  Takes takes = Takes::nothing;
  std::string_view name;  // in messages and the manual: "SIZE"
  bool optional = false;
  std::string_view choices = {};  // "read|write|both"
};

struct VerbRow {
  Verb verb;
  std::string_view name;
  unsigned roles;  // keys.hpp: bit()
  Argument arguments[2];
  bool timeout, as;       // takes timeout=D, as=NAME
  std::string_view call;  // the system call that filters and counts can aim at, "" for none
  std::string_view says;
};

std::span<const VerbRow> verb_rows();
const VerbRow& row_of(Verb verb);
const VerbRow* row_of(std::string_view name);
// "recv [SIZE] [timeout=D]"
std::string usage(const VerbRow& row);
// A regular expression for the steps of these roles (bits), for editors: their verbs.
std::string step_pattern(unsigned roles);

}  // namespace lab::scenario
