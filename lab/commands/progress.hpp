// How far a batch is, on standard error: a line that renews itself on a terminal, plain lines elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lab::commands {

class Progress {
 public:
  Progress(std::size_t total, bool quiet);
  ~Progress();  // takes its line away
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(std::size_t done, std::size_t running);
  void clear();  // before something else is written to the terminal

 private:
  void on_terminal(std::size_t done, std::size_t running);
  std::size_t total_, next_line_ = 1, last_done_ = 0;
  bool on_, terminal_, drawn_ = false;
  std::int64_t began_ns_, drawn_ns_ = 0;
};

}  // namespace lab::commands
