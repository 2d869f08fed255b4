#include "commands/output.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "commands/commands.hpp"
#include "commands/invoker.hpp"
#include "system/error.hpp"

namespace lab::commands {
namespace {

// write(2) to a pipe without readers raises SIGPIPE beside returning EPIPE. The signal's disposition would be handed
// on to every program a run starts, so it is held back and taken for the length of one call instead.
ssize_t write_without_signal(int fd, const char* data, std::size_t size) {
  sigset_t pipe, before, pending;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  sigpending(&pending);
  pthread_sigmask(SIG_BLOCK, &pipe, &before);
  const ssize_t n = ::write(fd, data, size);
  const int error = errno;
  if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE)) {
    const timespec now{};
    while (sigtimedwait(&pipe, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return n;
}

bool is_regular(int fd) {
  struct stat what {};
  return ::fstat(fd, &what) == 0 && S_ISREG(what.st_mode);
}

}  // namespace

class Output::Buffer : public std::streambuf {
 public:
  Buffer(int fd, std::string name, bool empties) : fd_(fd), name_(std::move(name)), empties_(empties) { reset(); }

  void write_out() {
    if (empties_) sys::check(::ftruncate(fd_, 0), "empty " + name_);
    empties_ = false;
    const char* at = pbase();
    while (at < pptr()) {
      const auto n = write_without_signal(fd_, at, static_cast<std::size_t>(pptr() - at));
      if (n < 0 && errno == EINTR) continue;
      at += sys::check(n, "write " + name_);
    }
    reset();
  }

 protected:
  int overflow(int c) override {
    write_out();
    if (c != traits_type::eof()) sputc(static_cast<char>(c));
    return traits_type::not_eof(c);
  }
  int sync() override {
    write_out();
    return 0;
  }

 private:
  void reset() { setp(data_, data_ + sizeof data_); }
  int fd_;
  std::string name_;
  bool empties_;
  char data_[65536];
};

Output::Output(sys::Descriptor owned, int number, std::string name)
    : name_(std::move(name)),
      owned_(std::move(owned)),
      buffer_(std::make_unique<Buffer>(number, name_, owned_.valid() && is_regular(number))),
      stream_(std::make_unique<std::ostream>(buffer_.get())) {
  stream_->exceptions(std::ios::badbit);  // or the stream would swallow the buffer's KernelError
}
Output::Output(Output&&) noexcept = default;
Output& Output::operator=(Output&&) noexcept = default;
Output::~Output() = default;

Output Output::standard() { return {sys::Descriptor(), STDOUT_FILENO, "standard output"}; }

Output Output::create(const std::string& path) {
  const AsInvoker rights;
  sys::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0666));
  if (!file.valid() && (errno == ENOENT || errno == ENOTDIR || errno == EISDIR)) {
    throw UsageError(sys::KernelError(errno, "create " + path).what(), "the folder must exist");
  }
  sys::check(file.get(), "create " + path);
  const int number = file.get();
  return {std::move(file), number, path};
}

void Output::flush() { buffer_->write_out(); }

// The last write may be refused at close (a full network file system says so only there).
void Output::finish() {
  flush();
  if (owned_.valid()) sys::check(::close(owned_.release()), "close " + name_);
}

}  // namespace lab::commands
