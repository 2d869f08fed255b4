// Whole rulesets through libnftables, and the trace around them.
#include "firewall/whole.hpp"

#include <fcntl.h>
#include <libnftnl/trace.h>
#include <unistd.h>

#include <fstream>

#include "firewall/netfilter.hpp"
#include "place.hpp"
#include "rules.hpp"
#include "system/netlink.hpp"
#include "wire.hpp"

namespace lab::test {
namespace {

constexpr auto kFamily = Family::ipv4;

TEST(Whole, VariablesAreDefinedForBothFamilies) {
  for (const auto family : {Family::ipv4, Family::ipv6})
    in_namespace([&] {
      const std::string ip = family == Family::ipv4 ? "ip" : "ip6";
      const auto loaded =
          firewall::load("flush ruleset\ntable inet t {\n chain c {\n  " + ip + " daddr $server_address " + ip +
                             " saddr $client_address tcp dport $server_port accept\n }\n}\n",
                         flow(family), "x.nft");
      EXPECT_TRUE(loaded.ok) << loaded.messages;
      EXPECT_EQ(loaded.messages, "");
      EXPECT_NE(firewall::list_ruleset().find(ip + " daddr " + loopback(family) + " " + ip + " saddr " +
                                              loopback(family) + " tcp dport 8080 accept"),
                std::string::npos);
      EXPECT_EQ(firewall::list_ruleset(), output_of("nft list ruleset"));
    });
}

TEST(Whole, AMistakeHasItsPlaceInTheFile) {
  in_namespace([] {
    const std::string text = "table inet t {\n chain c {\n  tcp bogus 3\n }\n}\n";
    const auto file = firewall::load(text, flow(kFamily), "rules/mine.nft");
    EXPECT_FALSE(file.ok);
    EXPECT_TRUE(file.messages.starts_with("rules/mine.nft:3:7-11: Error: syntax error")) << file.messages;
    const auto inlined = firewall::load(text, flow(kFamily), "scenarios/x.toml", 21);
    EXPECT_TRUE(inlined.messages.starts_with("scenarios/x.toml:23:7-11: Error: ")) << inlined.messages;
    // What only the kernel knows has its place too, and nothing of the ruleset stays.
    const auto kernel = firewall::load(
        "table inet t {\n chain c {\n  type filter hook postrouting priority 0\n  tcp dport 1 reject with tcp reset\n "
        "}\n}\n",
        flow(kFamily), "x.nft");
    EXPECT_FALSE(kernel.ok);
    EXPECT_TRUE(kernel.messages.starts_with("x.nft:4:")) << kernel.messages;
    EXPECT_EQ(listed(), "");
    EXPECT_FALSE(firewall::load("", flow(kFamily), "x.nft").messages.size());
  });
}

TEST(Whole, AnIncludeSeesWhatTheProcessMayRead) {
  in_namespace([] {
    char folder[] = "/tmp/lab-include-XXXXXX";
    ASSERT_NE(::mkdtemp(folder), nullptr);
    const auto path = std::string(folder) + "/part.nft";
    std::ofstream(path) << "table ip part {\n}\n";
    EXPECT_TRUE(firewall::load("include \"" + path + "\"\n", flow(kFamily), "x.nft").ok);
    EXPECT_NE(listed().find("table ip part"), std::string::npos);
    std::ofstream(path) << "secret of another\n";
    ::chmod(path.c_str(), 0);
    const auto refused = firewall::load("include \"" + path + "\"\n", flow(kFamily), "x.nft");
    if (::access(path.c_str(), R_OK) != 0) {
      EXPECT_EQ(refused.messages.find("secret"), std::string::npos);
    }
    ::unlink(path.c_str());
    ::rmdir(folder);
    const auto missing = firewall::load("\ninclude \"" + path + "\"\n", flow(kFamily), "x.nft", 10);
    EXPECT_FALSE(missing.ok);
    EXPECT_TRUE(missing.messages.starts_with("x.nft:11:")) << missing.messages;
  });
}

// ---- traces

struct Traced {
  std::string table, chain;
  std::uint64_t handle = 0;
  std::uint32_t verdict = 0;
  std::uint32_t type = 0;  // NFT_TRACETYPE_…
};

// What NFNLGRP_NFTRACE said so far.
std::vector<Traced> traces(sys::Netlink& socket) {
  std::vector<Traced> all;
  socket.drain([&](const nlmsghdr& message) {
    auto* trace = nftnl_trace_alloc();
    if (nftnl_trace_nlmsg_parse(&message, trace) >= 0) {
      Traced traced{nftnl_trace_get_str(trace, NFTNL_TRACE_TABLE), nftnl_trace_get_str(trace, NFTNL_TRACE_CHAIN)};
      if (nftnl_trace_is_set(trace, NFTNL_TRACE_RULE_HANDLE))
        traced.handle = nftnl_trace_get_u64(trace, NFTNL_TRACE_RULE_HANDLE);
      traced.verdict = nftnl_trace_get_u32(trace, NFTNL_TRACE_VERDICT);
      traced.type = nftnl_trace_get_u32(trace, NFTNL_TRACE_TYPE);
      all.push_back(traced);
    }
    nftnl_trace_free(trace);
  });
  return all;
}

// A fault's trace begins within its own rule, and the verdict is its first message.
TEST(Trace, OfAFaultIsItsVerdict) {
  in_namespace([] {
    sys::Netlink socket(NETLINK_NETFILTER, {NFNLGRP_NFTRACE});
    firewall::Ruleset ruleset(kFamily, flow(kFamily));
    Rule drop = counting("it", [](Rule& r) { r.match.after = after_handshake(), r.action = RuleAction::drop; });
    ruleset.add({counting("counts"), drop});
    Server listener(kFamily);
    const auto client = dial(kFamily);
    const auto server = listener.accept();
    EXPECT_TRUE(traces(socket).empty()) << "the handshake isn't traced, nor what only counts";
    say(client, "lost");
    EXPECT_TRUE(wait_for_hits(ruleset, "it", 1));
    const auto all = traces(socket);
    ASSERT_FALSE(all.empty());
    std::uint64_t handle = 0;
    for (const auto& held : ruleset.held())
      if (held.name == "it") handle = held.handle;
    EXPECT_EQ(all[0].table, "lab");
    EXPECT_EQ(all[0].chain, "output");
    EXPECT_EQ(all[0].handle, handle);
    EXPECT_EQ(all[0].verdict, std::uint32_t{NF_DROP});
  });
}

TEST(Trace, OffByWish) {
  in_namespace([] {
    sys::Netlink socket(NETLINK_NETFILTER, {NFNLGRP_NFTRACE});
    firewall::Ruleset ruleset(kFamily, flow(kFamily));
    ruleset.add({counting("it", [](Rule& r) { r.match.after = after_handshake(), r.action = RuleAction::drop; })},
                false);
    Server listener(kFamily);
    const auto client = dial(kFamily);
    say(client, "lost");
    EXPECT_TRUE(wait_for_hits(ruleset, "it", 1));
    EXPECT_TRUE(traces(socket).empty());
  });
}

TEST(Trace, OfAWholeRulesetSeesHandshakeRetransmissionsAndPolicies) {
  for (const auto family : {Family::ipv4, Family::ipv6})
    in_namespace([&] {
      const auto loaded = firewall::load(
          "table inet mine {\n chain in {\n  type filter hook input priority 0; policy drop\n  tcp flags syn counter "
          "accept\n  tcp flags ack / ack,psh counter accept\n }\n}\n",
          flow(family), "x.nft");
      ASSERT_TRUE(loaded.ok) << loaded.messages;
      sys::Netlink socket(NETLINK_NETFILTER, {NFNLGRP_NFTRACE});
      firewall::Tracing tracing;
      Server listener(family);
      const auto client = dial(family);
      const auto server = listener.accept();
      say(client, "lost");
      std::size_t policies = 0, accepted = 0;
      // The segment and two of its retransmissions end at the policy.
      EXPECT_TRUE(wait_until([&] {
        for (const auto& traced : traces(socket)) {
          if (traced.table != "mine") continue;
          policies += traced.type == NFT_TRACETYPE_POLICY;
          accepted += traced.handle != 0 && traced.verdict == NF_ACCEPT;
        }
        return policies >= 3;
      }));
      EXPECT_EQ(accepted, 3u);  // the handshake's, at input
      EXPECT_GE(tracing.account().traced, 3u + policies);
      EXPECT_EQ(tracing.account().skipped, 0u);
    });
}

TEST(Trace, OfAWholeRulesetIsBounded) {
  in_namespace([] {
    ASSERT_TRUE(firewall::load("table inet mine {\n chain in {\n  type filter hook input priority 0\n counter\n }\n}\n",
                               flow(kFamily), "x.nft")
                    .ok);
    firewall::Tracing tracing;
    Server listener(kFamily);
    const auto client = dial(kFamily);
    const auto server = listener.accept();
    for (int i = 0; i < 5000; ++i) {
      say(client, "x");
      hear(server, 1);
      say(server, "y");
      hear(client, 1);
    }
    const auto account = tracing.account();
    EXPECT_GE(account.traced, 64u);  // the first of each direction
    EXPECT_GE(account.skipped + account.traced, 10'000u);
    EXPECT_GT(account.skipped, account.traced);
    EXPECT_EQ(output_of("nft flush ruleset"), "");
    EXPECT_NE(listed().find("lab-trace"), std::string::npos);
  });
}

}  // namespace
}  // namespace lab::test
