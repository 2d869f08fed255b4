#include "commands/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "commands/terminal.hpp"
#include "system/clock.hpp"

namespace lab::commands {
namespace {

constexpr std::int64_t kRedraw = 100'000'000;  // ns: often enough for an eye
constexpr std::size_t kPlainLines = 10;        // of a whole batch

}  // namespace

Progress::Progress(std::size_t total, bool quiet)
    : total_(total), on_(total > 1 && !quiet), terminal_(is_terminal(STDERR_FILENO)), began_ns_(sys::now_ns()) {}

Progress::~Progress() { clear(); }

void Progress::clear() {
  if (drawn_) fmt::print(stderr, "\r\x1b[K");
  drawn_ = false;
}

void Progress::show(std::size_t done, std::size_t running) {
  if (!on_) return;
  if (terminal_) {
    on_terminal(done, running);
  } else if (done >= next_line_ && done > 0) {
    fmt::print(stderr, "lab: {} of {} done, {} running\n", done, total_, running);
    next_line_ = done + std::max<std::size_t>(1, total_ / kPlainLines);
  }
}

void Progress::on_terminal(std::size_t done, std::size_t running) {
  const auto now = sys::now_ns();
  if (drawn_ && done == last_done_ && now - drawn_ns_ < kRedraw) return;
  std::string left;
  if (done > 0) {
    const auto each = static_cast<double>(now - began_ns_) / 1e9 / static_cast<double>(done);
    left = fmt::format(", about {:.0f} s left", each * static_cast<double>(total_ - done));
  }
  fmt::print(stderr, "\r{} of {} done, {} running{}\x1b[K", done, total_, running, left);
  drawn_ = true;
  drawn_ns_ = now;
  last_done_ = done;
}

}  // namespace lab::commands
