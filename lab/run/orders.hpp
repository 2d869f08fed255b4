// What lab tells init while a run is under way: answers to what init asked for, and to end the run early.
#pragma once

#include <cstdint>

#include "system/clock.hpp"
#include "system/descriptor.hpp"

namespace lab::run {

class Orders {
 public:
  // On the wire an answer is 0 or an errno.
  static constexpr std::int32_t kStop = -1;

  explicit Orders(sys::Descriptor pipe) : pipe_(std::move(pipe)) {}
  // Stays awake until an answer is there, though not for longer than that, and lets others have the CPU.
  void stay_awake(const sys::Deadline& at_most) const;
  // Blocks for the answer to a question: 0, or an errno.
  std::int32_t answer();
  // -1 where there is nobody to give any.
  int descriptor() const { return pipe_.get(); }
  // When the descriptor is readable and nothing was asked for.
  void take();
  bool stop() const { return stop_; }

 private:
  std::int32_t read();
  sys::Descriptor pipe_;
  bool stop_ = false;
};

}  // namespace lab::run
