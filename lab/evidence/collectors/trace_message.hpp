// From a message of the rule trace to what the timeline keeps of it. Pure: any message whose length is right.
#pragma once

#include <linux/netlink.h>

#include <optional>

#include "evidence/event.hpp"

namespace lab::evidence {

struct TraceMessage {
  TraceHit hit;              // without namespace and hook
  bool has_headers = false;  // the packet's; the messages that follow in the same base chain have none
};

// Nothing for a message without nfnetlink's fixed part.
std::optional<TraceMessage> read_trace(const nlmsghdr& message);

}  // namespace lab::evidence
