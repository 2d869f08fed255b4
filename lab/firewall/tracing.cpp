#include <fmt/format.h>

#include <string_view>

#include "firewall/dump.hpp"
#include "firewall/library.hpp"
#include "firewall/whole.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

constexpr const char* kTraceTable = "lab-trace";
constexpr const char *kTraced = "traced", *kSkipped = "not traced";

// Before every table that rulesets put things in: raw is -300, conntrack's defragmentation -400.
constexpr int kPriority = -350;

// Single commands: a table's block would first name the table without its owner, which the kernel refuses.
std::string commands() {
  const auto table = fmt::format("inet {}", kTraceTable);
  auto text = fmt::format("add table {} {{ flags owner; }}\n", table);
  text += fmt::format(
      "add set {} flows {{ type inet_service . inet_service; size 65535; flags dynamic,timeout; timeout 5m; }}\n",
      table);
  text += fmt::format("add chain {} segments\n", table);
  const auto rule = [&](const std::string& chain, const std::string& statements, const char* comment) {
    text += fmt::format("add rule {} {} {} comment \"lab: {}\"\n", table, chain, statements, comment);
  };
  rule("segments",
       fmt::format("tcp flags & (fin | syn | rst) == 0 update @flows {{ tcp sport . tcp dport limit rate over "
                   "{}/second burst {} packets }} counter return",
                   Tracing::kFlowRate, Tracing::kFlowFirst),
       kSkipped);
  rule("segments", fmt::format("limit rate over {0}/second burst {0} packets counter return", Tracing::kRate),
       kSkipped);
  rule("segments", "meta nftrace set 1 counter", kTraced);
  for (const char* hook : {"prerouting", "output"}) {
    text += fmt::format("add chain {} {} {{ type filter hook {} priority {}; policy accept; }}\n", table, hook, hook,
                        kPriority);
    // What comes over lo has been at output, and nftrace stays with it.
    if (hook == std::string_view("prerouting")) rule(hook, "iifname lo return", "decided at output");
    rule(hook, "meta l4proto tcp jump segments", "every segment");
    rule(hook,
         fmt::format(
             "meta l4proto {{ icmp, ipv6-icmp }} limit rate {0}/second burst {0} packets meta nftrace set 1 counter",
             Tracing::kIcmpRate),
         kTraced);
  }
  return text;
}

}  // namespace

struct Tracing::State {
  Nftables nft;  // owns the table
  sys::Netlink socket{NETLINK_NETFILTER};
};

Tracing::Tracing() : state_(std::make_unique<State>()) {
  if (!state_->nft.run(commands())) throw sys::LabError("tracing of a whole ruleset: " + state_->nft.errors());
}
Tracing::~Tracing() = default;
Tracing::Tracing(Tracing&&) noexcept = default;

Tracing::Account Tracing::account() const {
  Account account;
  for (const auto& rule : dump_rules(state_->socket)) {
    if (rule.table != kTraceTable || rule.family != "inet") continue;
    if (rule.comment == fmt::format("lab: {}", kSkipped)) account.skipped += rule.packets;
    if (rule.comment == fmt::format("lab: {}", kTraced)) account.traced += rule.packets;
  }
  return account;
}

}  // namespace lab::firewall
