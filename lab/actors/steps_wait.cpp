// Steps that wait on sockets with poll(2): wait-unread and relay.
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "actors/lane.hpp"

namespace lab::actors {
namespace {

int set_low_mark(int fd, int bytes) {
  const long result =
      sys::exempt_syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVLOWAT, reinterpret_cast<long>(&bytes), sizeof bytes);
  return result == 0 ? 0 : errno;
}

// One direction of a relay: what was read from one socket and is not yet written to the other.
struct Direction {
  int from, to;
  std::array<std::byte, 16 * 1024> held{};
  std::size_t begin = 0, end = 0;
  bool finished = false;  // the end of file was passed on
  std::int64_t carried = 0;

  bool empty() const { return begin == end; }

  // 0, or the errno of a call that ended the relay.
  int read() {
    const auto got = ::recvfrom(from, held.data(), held.size(), MSG_DONTWAIT, nullptr, nullptr);
    if (got < 0) return errno == EAGAIN ? 0 : errno;
    begin = 0;
    end = static_cast<std::size_t>(got);
    if (got > 0) return 0;
    finished = true;
    // Nothing is lost when the other end is closed already (ENOTCONN).
    return ::shutdown(to, SHUT_WR) == 0 || errno == ENOTCONN ? 0 : errno;
  }
  int write() {
    const auto put = ::sendto(to, held.data() + begin, end - begin, MSG_DONTWAIT, nullptr, 0);
    if (put < 0) return errno == EAGAIN ? 0 : errno;
    begin += static_cast<std::size_t>(put);
    carried += put;
    return 0;
  }
};

short wanted(const Direction& in, const Direction& out) {
  short events = 0;
  if (!in.finished && in.empty()) events |= POLLIN;
  if (!out.empty()) events |= POLLOUT;
  return events;
}

int advance(Direction& direction, short from, short to) {
  if (!direction.finished && direction.empty() && (from & (POLLIN | POLLERR | POLLHUP))) {
    if (const int error = direction.read()) return error;
  }
  if (!direction.empty() && (to & (POLLOUT | POLLERR | POLLHUP))) return direction.write();
  return 0;
}

}  // namespace

// SO_RCVLOWAT makes poll(2) wait for that many bytes (man 7 socket; tcp_poll since Linux 4.19). No bytes are read, and
// no error is taken off the socket.
Lane::Next Lane::wait_unread(const Op& op, Entry& entry) {
  tell(entry.fields(), current_);
  const auto wanted_bytes = static_cast<int>(std::min<std::uint64_t>(op.step->size.value_or(1), INT_MAX));
  if (const int error = set_low_mark(current_.fd, wanted_bytes)) {
    entry.failed(error, Via::setsockopt);
    return Next::go_on;
  }
  pollfd waiting{current_.fd, POLLIN | POLLRDHUP, 0};
  const int result = ::poll(&waiting, 1, -1);
  const int error = errno;
  int unread = 0;
  if (result > 0 && sys::exempt_syscall(SYS_ioctl, current_.fd, FIONREAD, reinterpret_cast<long>(&unread)) != 0)
    unread = 0;
  set_low_mark(current_.fd, 1);
  if (result < 0)
    entry.failed(error);
  else if (unread >= wanted_bytes)
    entry.end(Outcome::ok, 0, unread);
  else if (waiting.revents & (POLLRDHUP | POLLHUP | POLLERR))
    entry.end(Outcome::eof, 0, unread);
  else
    entry.end(Outcome::error, ENOBUFS, unread);  // the kernel keeps the mark below half of the receive buffer
  return Next::go_on;
}

Lane::Next Lane::relay(const Op& op, Entry& entry) {
  Connection a, b;
  {
    const std::lock_guard hold(instance_.lock);
    a = instance_.named[static_cast<std::size_t>(op.a)];
    b = instance_.named[static_cast<std::size_t>(op.b)];
  }
  tell(entry.fields(), a);
  Direction there{.from = a.fd, .to = b.fd}, back{.from = b.fd, .to = a.fd};
  int error = 0;
  while (!error && !(there.finished && back.finished)) {
    pollfd ends[2] = {{a.fd, wanted(there, back), 0}, {b.fd, wanted(back, there), 0}};
    // A finished side that was reset would be reported for ever.
    for (auto& end : ends) {
      if (!end.events) end.fd = -1;
    }
    if (::poll(ends, 2, -1) < 0) {
      error = errno;
    } else if (!(error = advance(there, ends[0].revents, ends[1].revents))) {
      error = advance(back, ends[1].revents, ends[0].revents);
    } else {
      tell(entry.fields(), b);
    }
  }
  const auto carried = there.carried + back.carried;
  if (error)
    entry.end(Outcome::error, error, carried);
  else
    entry.end(carried ? Outcome::bytes : Outcome::eof, 0, carried);
  return Next::go_on;
}

}  // namespace lab::actors
