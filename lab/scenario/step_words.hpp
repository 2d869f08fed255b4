// What each word of a step means: one function for each kind of argument.
#pragma once

#include <string>
#include <string_view>

#include "scenario/step.hpp"
#include "scenario/verbs.hpp"
#include "scenario/words.hpp"

namespace lab::scenario {

// Where mistakes of one step go.
struct Hand {
  StepReading& reading;
  const Locate& locate;
  void wrong(std::size_t offset, std::string message, std::string hint = "") const {
    reading.mistakes.push_back({locate(offset), std::move(message), std::move(hint)});
  }
};

// Puts `word` where `argument` says it goes.
void take(Step& step, const VerbRow& row, const Argument& argument, const Word& word, const Hand& hand);

// Names of connections and of signals between actors.
bool is_label(std::string_view text);
// "net.ipv4.tcp_retries2"
bool is_net_sysctl(std::string_view key);

}  // namespace lab::scenario
