#include "sandbox/mailbox.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <cerrno>
#include <cstring>

#include "system/error.hpp"
#include "system/exempt.hpp"
#include "system/process.hpp"

namespace lab::sandbox {

using sys::check;

Mailbox::Mailbox() {
  auto pair = sys::make_pair(SOCK_SEQPACKET);
  sender_ = std::move(pair.one);
  receiver_ = std::move(pair.other);
  const int on = 1;
  check(::setsockopt(receiver_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), "mailbox for listeners");
}

void Mailbox::hand_over(sys::Descriptor listener) const {
  const int number = listener.release();
  if (number >= 0) {
    char byte = 'l';
    iovec payload{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof number)] = {};
    msghdr message{};
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof number);
    std::memcpy(CMSG_DATA(rights), &number, sizeof number);
    check(sys::exempt_syscall(SYS_sendmsg, sending_end(), reinterpret_cast<long>(&message), MSG_NOSIGNAL),
          "hand a listener over");
    sys::exempt_syscall(SYS_close, number);
  }
  sys::exempt_syscall(SYS_close, sending_end());
}

std::optional<Mailbox::Delivery> Mailbox::collect() {
  char byte;
  iovec payload{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(ucred))];
  msghdr message{};
  message.msg_iov = &payload;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const auto got = ::recvmsg(receiver_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got == -1 && errno == EAGAIN) return {};
  check(got, "mailbox for listeners");
  Delivery delivery;
  for (auto* part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_RIGHTS) {
      int number = -1;
      std::memcpy(&number, CMSG_DATA(part), sizeof number);
      delivery.listener = sys::Descriptor(number);
    } else if (part->cmsg_type == SCM_CREDENTIALS) {
      ucred who{};
      std::memcpy(&who, CMSG_DATA(part), sizeof who);
      delivery.pid = who.pid;
    }
  }
  if (!delivery.listener.valid()) return {};
  return delivery;
}

}  // namespace lab::sandbox
