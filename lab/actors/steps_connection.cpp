// Steps on a connection: each is the one system call that its verb stands for.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "actors/lane.hpp"
#include "actors/options.hpp"
#include "system/clock.hpp"

namespace lab::actors {
namespace {

End own_address(int fd) {
  SocketAddress own;
  own.length = sizeof own.storage;
  const long result =
      sys::exempt_syscall(SYS_getsockname, fd, reinterpret_cast<long>(own.get()), reinterpret_cast<long>(&own.length));
  return result == 0 ? end_of(own) : End{};
}

}  // namespace

Lane::Next Lane::connect(const Op& op, Entry& entry) {
  const auto& target = *op.target;
  Connection made;
  Via via = Via::verb;
  if (const int error = make_socket(process_, target.family(), false, made, via)) {
    tell(entry.fields(), made);
    entry.failed(error, via);
    return Next::end;
  }
  made.peer = end_of(target);
  tell(entry.fields(), made);
  entry.fields().linger_reset = made.linger_zero;
  if (const int error = limit(made.fd, op, SO_SNDTIMEO, made.send_timeout)) {
    entry.failed(error, Via::setsockopt);
    return Next::end;
  }
  const int result = ::connect(made.fd, target.get(), target.length);
  const int error = errno;
  made.local = own_address(made.fd);
  keep(op, made);
  if (process_.close_at_end) instance_.open.push_back(made.fd);
  tell(entry.fields(), made);
  if (result == 0) {
    entry.ok();
    return Next::go_on;
  }
  // A connect that ran out of SO_SNDTIMEO is EINPROGRESS (man 7 socket).
  if (error == EINPROGRESS && op.step->timeout)
    entry.end(Outcome::timeout);
  else
    entry.failed(error);
  return Next::end;
}

Lane::Next Lane::accept(const Op& op, Entry& entry) {
  const auto& listener = process_.listener;
  tell(entry.fields(), listener);
  if (const int error = limit(listener.fd, op, SO_RCVTIMEO, accept_timeout_)) {
    entry.failed(error, Via::setsockopt);
    return Next::end;
  }
  SocketAddress peer;
  peer.length = sizeof peer.storage;
  const int fd = ::accept4(listener.fd, peer.get(), &peer.length, 0);
  if (fd < 0) {
    errno == EAGAIN&& op.step->timeout ? entry.end(Outcome::timeout) : entry.failed(errno);
    return Next::end;
  }
  Connection made{.fd = fd, .family = listener.family, .local = listener.local, .peer = end_of(peer)};
  // Timeouts and linger are inherited from the listener, as they were when the handshake ended.
  if (process_.plan.timeouts) made.receive_timeout = made.send_timeout = kUnknown;
  made.linger_zero = listener.linger_zero;
  if (process_.listens_everywhere) made.local = own_address(fd);
  keep(op, made);
  tell(entry.fields(), made);
  entry.fields().linger_reset = made.linger_zero;
  entry.ok();
  return Next::go_on;
}

int Lane::limit(int fd, const Op& op, int option, std::int64_t& held) {
  const std::int64_t wanted = op.step->timeout ? op.step->timeout->count() : 0;
  if (held == wanted) return 0;
  // 0 would be no limit at all; the kernel rounds up to its tick.
  const auto us = wanted == 0 ? 0 : std::max<std::int64_t>(1, wanted / 1000);
  const timeval limit{static_cast<time_t>(us / 1'000'000), static_cast<suseconds_t>(us % 1'000'000)};
  if (sys::exempt_syscall(SYS_setsockopt, fd, SOL_SOCKET, option, reinterpret_cast<long>(&limit), sizeof limit) != 0)
    return errno;
  held = wanted;
  return 0;
}

// A socket that is gone says so itself, in the step's own call.
bool Lane::limit_or_fail(const Op& op, Entry& entry, int option) {
  tell(entry.fields(), current_);
  auto& held = option == SO_RCVTIMEO ? current_.receive_timeout : current_.send_timeout;
  const int error = limit(current_.fd, op, option, held);
  if (!error || error == EBADF || error == ENOTSOCK) return true;
  entry.failed(error, Via::setsockopt);
  return false;
}

void Lane::transferred(Entry& entry, const Op& op, std::int64_t result, int error, std::int64_t total, bool receiving) {
  if (result > 0 || (result == 0 && !receiving)) return entry.end(Outcome::bytes, 0, total + result);
  if (result == 0) return entry.end(total ? Outcome::bytes : Outcome::eof, 0, total);
  if (error == EAGAIN && op.step->timeout) return entry.end(Outcome::timeout, 0, total);
  entry.end(Outcome::error, error, total);
}

Lane::Next Lane::send(const Op& op, Entry& entry) {
  if (!limit_or_fail(op, entry, SO_SNDTIMEO)) return Next::go_on;
  const auto& step = *op.step;
  const void* data = step.size ? static_cast<const void*>(process_.pattern) : step.text.data();
  const auto size = step.size.value_or(step.text.size());
  std::uint64_t sent = 0;
  while (true) {
    // No MSG_NOSIGNAL: whether SIGPIPE kills is the process's own setting.
    const auto piece = step.size ? std::min<std::uint64_t>(size - sent, process_.plan.buffer) : size;
    const auto result = ::sendto(current_.fd, data, piece, 0, nullptr, 0);
    const bool more = result > 0 && static_cast<std::uint64_t>(result) == piece && sent + piece < size;
    if (!more) {
      transferred(entry, op, result, errno, static_cast<std::int64_t>(sent), false);
      return Next::go_on;
    }
    sent += piece;
  }
}

Lane::Next Lane::recv(const Op& op, Entry& entry) {
  if (!limit_or_fail(op, entry, SO_RCVTIMEO)) return Next::go_on;
  const auto size = std::min<std::uint64_t>(op.step->size.value_or(kRecvSize), process_.plan.buffer);
  const auto result = ::recvfrom(current_.fd, process_.buffer, size, 0, nullptr, nullptr);
  transferred(entry, op, result, errno, 0, true);
  return Next::go_on;
}

namespace {

struct Read {
  std::int64_t result;  // of the last call
  int error;
  std::int64_t total;  // with the last call's
};

// One call where the kernel gives it all at once (MSG_WAITALL); more after a timeout, a signal or an end of file, to
// learn which. `take` sees each piece.
template <class Take>
Read read_exactly(int fd, std::byte* buffer, std::size_t room, std::uint64_t wanted, bool timed, const Take& take) {
  Read read{1, 0, 0};
  int flags = MSG_WAITALL;
  while (static_cast<std::uint64_t>(read.total) < wanted) {
    const auto piece = std::min<std::uint64_t>(room, wanted - static_cast<std::uint64_t>(read.total));
    read.result = ::recvfrom(fd, buffer, piece, flags, nullptr, nullptr);
    read.error = errno;
    if (read.result <= 0) return read;
    take(buffer, read.total, static_cast<std::size_t>(read.result));
    read.total += read.result;
    // The wait is over: what is there now, or the reason why there is no more.
    if (timed && static_cast<std::uint64_t>(read.result) < piece) flags = MSG_DONTWAIT;
  }
  return read;
}

}  // namespace

Lane::Next Lane::recv_exactly(const Op& op, Entry& entry) {
  if (!limit_or_fail(op, entry, SO_RCVTIMEO)) return Next::go_on;
  const auto read = read_exactly(current_.fd, process_.buffer, process_.plan.buffer, op.step->size.value_or(0),
                                 op.step->timeout.has_value(), [](auto&&...) {});
  if (read.result > 0)
    entry.end(Outcome::bytes, 0, read.total);
  else if (read.result == 0)
    entry.end(Outcome::eof, 0, read.total);
  else
    transferred(entry, op, read.result, read.error, read.total, true);
  return Next::go_on;
}

Lane::Next Lane::recv_until_eof(const Op& op, Entry& entry) {
  if (!limit_or_fail(op, entry, SO_RCVTIMEO)) return Next::go_on;
  std::int64_t total = 0;
  while (true) {
    const auto result = ::recvfrom(current_.fd, process_.buffer, process_.plan.buffer, 0, nullptr, nullptr);
    if (result <= 0) {
      transferred(entry, op, result, errno, total, true);
      return Next::go_on;
    }
    total += result;
    entry.fields().got_ns = sys::now_ns();
  }
}

Lane::Next Lane::expect(const Op& op, Entry& entry) {
  if (!limit_or_fail(op, entry, SO_RCVTIMEO)) return Next::end;
  const auto& text = op.step->text;
  bool same = true;
  std::byte buffer[4096];
  const auto compare = [&](const std::byte* data, std::int64_t at, std::size_t size) {
    same = same && std::memcmp(data, text.data() + at, size) == 0;
  };
  const auto read =
      read_exactly(current_.fd, buffer, sizeof buffer, text.size(), op.step->timeout.has_value(), compare);
  if (read.result > 0) {
    entry.end(same ? Outcome::ok : Outcome::mismatch, 0, read.total);
    return same ? Next::go_on : Next::end;
  }
  if (read.result == 0)
    entry.end(Outcome::eof, 0, read.total);
  else
    transferred(entry, op, read.result, read.error, read.total, true);
  return Next::end;
}

Lane::Next Lane::shutdown(const Op& op, Entry& entry) {
  tell(entry.fields(), current_);
  const auto& side = op.step->words[0];
  const int how = side == "read" ? SHUT_RD : side == "write" ? SHUT_WR : SHUT_RDWR;
  ::shutdown(current_.fd, how) == 0 ? entry.ok() : entry.failed(errno);
  return Next::go_on;
}

Lane::Next Lane::close(const Op& op, Entry& entry) {
  const auto connection = connection_of(op);
  tell(entry.fields(), connection);
  entry.fields().linger_reset = connection.linger_zero;
  std::erase(instance_.open, connection.fd);
  ::close(connection.fd) == 0 ? entry.ok() : entry.failed(errno);
  return Next::go_on;
}

Lane::Next Lane::reset(const Op& op, Entry& entry) {
  const auto connection = connection_of(op);
  tell(entry.fields(), connection);
  if (const int error = linger_zero(connection.fd); error && error != EBADF && error != ENOTSOCK) {
    entry.failed(error, Via::setsockopt);
    return Next::go_on;
  }
  entry.fields().linger_reset = true;
  std::erase(instance_.open, connection.fd);
  ::close(connection.fd) == 0 ? entry.ok() : entry.failed(errno);
  return Next::go_on;
}

// Before there is a connection it is the listener's, whose connections inherit most of them.
Lane::Next Lane::option(const Op& op, Entry& entry) {
  const bool listening = current_.fd < 0 && process_.listener.fd >= 0;
  auto& connection = listening ? process_.listener : current_;
  tell(entry.fields(), connection);
  if (asks_for_reset(op.option)) connection.linger_zero = entry.fields().linger_reset = true;
  const int error = set_option(connection.fd, connection.family, op.option, listening);
  error ? entry.failed(error) : entry.ok();
  return Next::go_on;
}

Lane::Next Lane::use(const Op& op, Entry& entry) {
  current_ = connection_of(op);
  tell(entry.fields(), current_);
  current_.fd < 0 ? entry.failed(EBADF) : entry.ok();
  return Next::go_on;
}

Lane::Next Lane::close_listener(const Op&, Entry& entry) {
  tell(entry.fields(), process_.listener);
  ::close(process_.listener.fd) == 0 ? entry.ok() : entry.failed(errno);
  return Next::go_on;
}

// The thread's first connection is the one that was current here.
Lane::Next Lane::start_thread(const Op& op, Entry& entry) {
  auto lane = *this;
  lane.current_.receive_timeout = lane.current_.send_timeout = process_.plan.timeouts ? kUnknown : 0;
  const auto from = index_of(op) + 1;
  const int error = process_.threads.start([lane, from, to = op.next]() mutable {
    lane.become_current_thread();
    lane.run(from, to);
  });
  error ? entry.failed(error) : entry.ok();
  return Next::go_on;
}

}  // namespace lab::actors
