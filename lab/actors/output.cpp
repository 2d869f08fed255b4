#include "actors/output.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "system/error.hpp"

namespace lab::actors {
namespace {

constexpr std::size_t kKept = 64 * 1024;
constexpr std::size_t kLongestLine = 4096;
// A program that writes without end must not keep init from its other work.
constexpr int kReadsAtOnce = 16;

}  // namespace

Stream::Stream(sys::Descriptor read_end) : end_(std::move(read_end)) {
  sys::check(::fcntl(end_.get(), F_SETFL, O_NONBLOCK), "pipe for a program's output");
}

void Stream::drain(const Take& take) {
  char buffer[16 * 1024];
  for (int i = 0; i < kReadsAtOnce && end_.valid(); ++i) {
    const auto got = ::read(end_.get(), buffer, sizeof buffer);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    sys::check(got, "read a program's output");
    if (got == 0) end_.reset();
    add({buffer, static_cast<std::size_t>(got)}, take);
  }
}

void Stream::add(std::string_view bytes, const Take& take) {
  const auto room = passed_ < kKept ? kKept - passed_ : 0;
  const auto now = bytes.substr(0, room);
  passed_ += now.size();
  line_ += now;
  tell_lines(take, false);
  tail_ += bytes.substr(now.size());
  if (tail_.size() <= 2 * kKept) return;
  left_out_ += tail_.size() - kKept;
  tail_.erase(0, tail_.size() - kKept);
}

void Stream::tell_lines(const Take& take, bool all) {
  std::size_t from = 0;
  while (true) {
    const auto newline = line_.find('\n', from);
    if (newline != std::string::npos) {
      take(line_.substr(from, newline - from));
      from = newline + 1;
    } else if (line_.size() - from >= kLongestLine || (all && line_.size() > from)) {
      take(line_.substr(from, kLongestLine));
      from = std::min(line_.size(), from + kLongestLine);
    } else {
      break;
    }
  }
  line_.erase(0, from);
}

void Stream::finish(const Take& take) {
  drain(take);
  if (tail_.size() > kKept) {
    left_out_ += tail_.size() - kKept;
    tail_.erase(0, tail_.size() - kKept);
  }
  if (left_out_) {
    tell_lines(take, true);
    take("[… " + std::to_string(left_out_) + " bytes left out …]");
  }
  line_ += tail_;
  tail_.clear();
  left_out_ = 0;
  tell_lines(take, true);
}

}  // namespace lab::actors
