// One notification, as the change that it tells of; a change without a kind is none of interest. Messages are the
// kernel's: man 7 rtnetlink; linux/netfilter/nf_tables.h; linux/xfrm.h.
#pragma once

#include <libmnl/libmnl.h>

#include <string>

#include "evidence/event.hpp"

namespace lab::evidence {

Change link_change(const nlmsghdr& message);
// The XDP program on a link, "" for none: "xdp program 17", by its number where the kernel tells it.
std::string program_on(const nlmsghdr& message);
Change address_change(const nlmsghdr& message);
// The kernel's own routes (local, broadcast, multicast) follow from links and addresses: none.
Change route_change(const nlmsghdr& message);
Change rule_change(const nlmsghdr& message);
Change policy_change(const nlmsghdr& message);

}  // namespace lab::evidence
