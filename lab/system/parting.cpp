#include "system/parting.hpp"

#include <sys/socket.h>

#include <cstring>
#include <exception>

#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::sys {
namespace {

constexpr std::size_t kMost = 253;  // descriptors in one message (SCM_MAX_FD)

void put_in_flight(int through, const std::vector<int>& passed) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(kMost * sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = CMSG_SPACE(passed.size() * sizeof(int));
  auto* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(passed.size() * sizeof(int));
  std::memcpy(CMSG_DATA(header), passed.data(), passed.size() * sizeof(int));
  check(::sendmsg(through, &message, 0), "pass descriptors on");
}

}  // namespace

// In flight inside a socket that only it holds itself, nothing but the kernel's garbage collector can reach them, and
// since 6.10 that one works in a thread of the kernel (net/unix/garbage.c). Older kernels collect at once. The
// collector sets out when a Unix socket is closed: by then it has to hold the last reference.
void leave_to_kernel(std::vector<Descriptor> descriptors) noexcept {
  if (descriptors.empty() || descriptors.size() >= kMost) return;
  try {
    auto pair = make_pair(SOCK_DGRAM);
    std::vector<int> passed{pair.other.get()};
    for (const auto& one : descriptors) passed.push_back(one.get());
    put_in_flight(pair.one.get(), passed);
    descriptors.clear();
  } catch (const std::exception&) {  // then they are closed here, and that takes its time
  }
}

}  // namespace lab::sys
