// What a ladder needs of a long timeline: one connection's packets, their first and last thousands, and what is no
// packet.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "evidence/event.hpp"
#include "verdict/verdict.hpp"

namespace lab::commands {

class Excerpt {
 public:
  explicit Excerpt(std::optional<verdict::Connection> of) : of_(std::move(of)) {}
  void see(evidence::Event&& event);
  std::vector<evidence::Event> take();  // in order of time

 private:
  bool wanted(const evidence::Event& event) const;
  std::optional<verdict::Connection> of_;
  std::vector<evidence::Event> head_;
  std::deque<evidence::Event> tail_;
};

}  // namespace lab::commands
