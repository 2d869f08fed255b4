// From a message of socket diagnostics to what the timeline keeps of it. Pure: any message whose length is right.
#pragma once

#include <linux/netlink.h>

#include <optional>

#include "evidence/event.hpp"

namespace lab::evidence {

// Without namespace, occasion and holders. Nothing for a message about anything else.
std::optional<SocketState> read_socket(const nlmsghdr& message);

}  // namespace lab::evidence
