#include <fmt/format.h>
#include <net/if.h>

#include <algorithm>
#include <limits>
#include <memory>
#include <string_view>

#include "firewall/dump.hpp"
#include "firewall/library.hpp"
#include "firewall/whole.hpp"
#include "system/error.hpp"

namespace lab::firewall {
namespace {

using if_nameindex_t = struct if_nameindex;  // of the function's name
constexpr const char *kTraced = "traced", *kSkipped = "not traced";

// Before every chain of a ruleset's: raw is at -300, and what is to be seen unassembled stands before -400. Of two
// chains at one priority the one that came later is asked first (nf_hook_entries_grow in net/netfilter/core.c).
constexpr int kPriority = std::numeric_limits<int>::min();

// Single commands: a table's block would first name the table without its owner, which the kernel refuses.
class Commands {
 public:
  explicit Commands(std::string_view family) : table_(fmt::format("{} {}", family, nft::kTracingTable)) {
    text_ = fmt::format("add table {} {{ flags owner; }}\n", table_);
    text_ += fmt::format(
        "add set {} flows {{ type inet_service . inet_service; flags dynamic,timeout; timeout 5m; }}\n", table_);
    text_ += fmt::format("add chain {} segments\n", table_);
    rule("segments",
         fmt::format("tcp flags & (fin | syn | rst) == 0 update @flows {{ tcp sport . tcp dport limit rate over "
                     "{}/second burst {} packets }} counter return",
                     Tracing::kFlowRate, Tracing::kFlowFirst),
         kSkipped);
    rule("segments", fmt::format("limit rate over {0}/second burst {0} packets counter return", Tracing::kRate),
         kSkipped);
    rule("segments", "meta nftrace set 1 counter", kTraced);
  }
  void chain(std::string_view name, std::string_view hook) {
    text_ += fmt::format("add chain {} {} {{ type filter hook {} priority {}; policy accept; }}\n", table_, name, hook,
                         kPriority);
    // What comes over lo has been at output, and nftrace stays with it.
    if (hook == "prerouting") rule(name, "iifname lo return", "decided at output");
    rule(name, "meta l4proto tcp jump segments", "every segment");
    rule(name,
         fmt::format(
             "meta l4proto {{ icmp, ipv6-icmp }} limit rate {0}/second burst {0} packets meta nftrace set 1 counter",
             Tracing::kIcmpRate),
         kTraced);
  }
  const std::string& text() const { return text_; }

 private:
  void rule(std::string_view chain, std::string_view statements, std::string_view comment) {
    text_ += fmt::format("add rule {} {} {} comment \"lab: {}\"\n", table_, chain, statements, comment);
  }
  std::string table_, text_;
};

std::string at_hooks() {
  Commands commands("inet");
  for (const auto* hook : {"prerouting", "output"}) commands.chain(hook, hook);
  return commands.text();
}

// An ingress chain is asked before prerouting, and belongs to a device. What leaves by egress has been at a hook above.
std::string at_ingress() {
  Commands commands("netdev");
  const std::unique_ptr<if_nameindex_t, void (*)(if_nameindex_t*)> links(::if_nameindex(), ::if_freenameindex);
  if (!links) throw sys::KernelError(errno, "list the links");
  for (const auto* link = links.get(); link->if_index; ++link)
    if (std::string_view(link->if_name) != "lo")
      commands.chain(fmt::format("ingress-{}", link->if_index), fmt::format("ingress device \"{}\"", link->if_name));
  return commands.text();
}

bool has_ingress(sys::Netlink& socket) {
  const auto chains = nft::dump_chains(socket);
  return std::any_of(chains.begin(), chains.end(), [](const auto& chain) { return chain.hook == "ingress"; });
}

}  // namespace

struct Tracing::State {
  Nftables nft;  // owns the table
  sys::Netlink socket{NETLINK_NETFILTER};
};

Tracing::Tracing(bool more_will_come) : state_(std::make_unique<State>()) {
  const auto run = [&](const std::string& commands) {
    if (!state_->nft.run(commands)) throw sys::LabError("tracing of a whole ruleset: " + state_->nft.errors());
  };
  run(at_hooks());
  if (has_ingress(state_->socket))
    run(at_ingress());
  else if (more_will_come)
    static_cast<void>(state_->nft.run(at_ingress()));  // a kernel without such chains takes nobody's
}
Tracing::~Tracing() = default;
Tracing::Tracing(Tracing&&) noexcept = default;

Tracing::Account Tracing::account() const {
  Account account;
  for (const auto& rule : dump_rules(state_->socket)) {
    if (rule.table != nft::kTracingTable || rule.family != "inet") continue;
    if (rule.comment == fmt::format("lab: {}", kSkipped)) account.skipped += rule.packets;
    if (rule.comment == fmt::format("lab: {}", kTraced)) account.traced += rule.packets;
  }
  return account;
}

}  // namespace lab::firewall
