// The bytes of an input behind a netlink header that is right, at an address that is aligned.
#pragma once

#include <libmnl/libmnl.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>

namespace lab::fuzz {

class NetlinkInput {
 public:
  NetlinkInput(std::uint16_t type, const std::uint8_t* data, std::size_t size, std::uint16_t flags = 0) {
    size = std::min<std::size_t>(size, 60'000);
    // Exactly as long as the message, so that AddressSanitizer sees the first byte too many.
    room_.reset(new char[MNL_NLMSG_HDRLEN + size]);
    auto* header = reinterpret_cast<nlmsghdr*>(room_.get());
    *header = {};
    header->nlmsg_len = static_cast<std::uint32_t>(MNL_NLMSG_HDRLEN + size);
    header->nlmsg_type = type;
    header->nlmsg_flags = flags;
    if (size) std::memcpy(room_.get() + MNL_NLMSG_HDRLEN, data, size);
  }
  const nlmsghdr& message() const { return *reinterpret_cast<const nlmsghdr*>(room_.get()); }

 private:
  std::unique_ptr<char[]> room_;
};

}  // namespace lab::fuzz
