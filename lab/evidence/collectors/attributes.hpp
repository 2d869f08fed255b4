// Walking netlink attributes. libmnl's loops are C macros that rely on an implicit conversion from void*.
#pragma once

#include <libmnl/libmnl.h>

#include <cstddef>

namespace lab::evidence {

// Every attribute behind the message's fixed part of `offset` bytes.
template <class Each>
void each_attribute(const nlmsghdr& message, std::size_t offset, const Each& each) {
  const auto* at = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(&message, offset));
  // Not libmnl's tail, which is rounded up: beyond a message whose length is no multiple of four.
  const auto* end = reinterpret_cast<const char*>(&message) + message.nlmsg_len;
  for (; mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at))); at = mnl_attr_next(at)) each(*at);
}

template <class Each>
void each_nested(const nlattr& nest, const Each& each) {
  const auto* at = static_cast<const nlattr*>(mnl_attr_get_payload(&nest));
  const auto* end = reinterpret_cast<const char*>(at) + mnl_attr_get_payload_len(&nest);
  for (; mnl_attr_ok(at, static_cast<int>(end - reinterpret_cast<const char*>(at))); at = mnl_attr_next(at)) each(*at);
}

}  // namespace lab::evidence
