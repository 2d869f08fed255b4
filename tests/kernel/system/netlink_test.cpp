// Netlink against the running kernel, in the namespaces the test process is in: nothing is changed.
#include "system/netlink.hpp"

#include <gtest/gtest.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "system/error.hpp"

namespace lab::sys {
namespace {

Message links() {
  Message dump(RTM_GETLINK, NLM_F_DUMP);
  dump.fixed<ifinfomsg>().ifi_family = AF_UNSPEC;
  return dump;
}

TEST(Netlink, DumpReachesItsEnd) {
  Netlink route(NETLINK_ROUTE);
  int loopbacks = 0;
  auto dump = links();
  EXPECT_TRUE(route.request(dump, "links", [&](const nlmsghdr& answer) {
    const auto* link = static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&answer));
    loopbacks += (link->ifi_flags & IFF_LOOPBACK) != 0;
  }));
  EXPECT_EQ(loopbacks, 1);
}

TEST(Netlink, RefusalCarriesErrnoAndTheKernelsText) {
  Netlink route(NETLINK_ROUTE);
  route.strict_dumps();
  Message get(RTM_GETLINK, NLM_F_DUMP);
  get.fixed<ifinfomsg>().ifi_change = 1;  // refused by a strict dump
  try {
    route.request(get, "strict dump");
    FAIL() << "the kernel took it";
  } catch (const KernelError& error) {
    EXPECT_EQ(error.name(), "EINVAL");
    const std::string text = error.what();
    EXPECT_NE(text.find("strict dump ("), std::string::npos) << text;
    EXPECT_NE(text.find("): Invalid argument"), std::string::npos) << text;
  }
  // The socket is in step again.
  Message one(RTM_GETLINK);
  one.fixed<ifinfomsg>().ifi_index = 1;
  EXPECT_TRUE(route.request(one, "lo"));
}

TEST(Netlink, BatchTellsEachRefusal) {
  Netlink route(NETLINK_ROUTE);
  std::string bytes;
  std::vector<std::uint32_t> sequence;
  for (const int index : {1, 1 << 30, 1, (1 << 30) + 1}) {
    Message get(RTM_GETLINK, NLM_F_ACK);
    get.fixed<ifinfomsg>().ifi_index = index;
    get.header()->nlmsg_seq = route.next_sequence();
    sequence.push_back(get.header()->nlmsg_seq);
    bytes.append(reinterpret_cast<const char*>(get.header()), NLMSG_ALIGN(get.header()->nlmsg_len));
  }
  const auto refused = route.batch(bytes.data(), bytes.size(), "four links");
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(refused[0].sequence, sequence[1]);
  EXPECT_EQ(refused[1].sequence, sequence[3]);
  EXPECT_EQ(refused[0].error, ENODEV);
}

TEST(Netlink, ReceiveKeepsItsDeadline) {
  Netlink route(NETLINK_ROUTE, {RTNLGRP_LINK});
  EXPECT_FALSE(route.receive(Deadline::after_ns(1'000'000), [](const nlmsghdr&) {}));
  EXPECT_EQ(route.drain([](const nlmsghdr&) {}), 0u);
}

}  // namespace
}  // namespace lab::sys
