// What programs write, taken from pipes without ever blocking.
#pragma once

#include <functional>
#include <string>

#include "system/descriptor.hpp"

namespace lab::actors {

// Memory is bounded: the first 64 KiB of a stream are passed on as they come, of the rest the last 64 KiB at its end.
class Stream {
 public:
  using Take = std::function<void(std::string text)>;  // one line without its newline, or a piece of one

  explicit Stream(sys::Descriptor read_end);     // of a pipe; made non-blocking
  int descriptor() const { return end_.get(); }  // -1 once nobody can write any more
  void drain(const Take& take);
  void finish(const Take& take);  // the writer is gone: what is still held

 private:
  void add(std::string_view bytes, const Take& take);
  void tell_lines(const Take& take, bool all);

  sys::Descriptor end_;
  std::string line_;  // not yet a whole one
  std::string tail_;
  std::uint64_t passed_ = 0, left_out_ = 0;
};

}  // namespace lab::actors
