// What changed in the namespace while the run went on, and who did it where the notification says: rules, links,
// addresses, routes, xfrm policies, sysctls. man 7 rtnetlink; NFNLGRP_NFTABLES; XFRMNLGRP_POLICY.
#include <fmt/format.h>
#include <net/if.h>  // before linux/, whose in.h else defines again what libc's has
#include <netinet/in.h>
#include <unistd.h>

#include <linux/rtnetlink.h>
#include <linux/xfrm.h>

#include <algorithm>
#include <map>

#include "evidence/collectors/attributes.hpp"
#include "evidence/collectors/changes.hpp"
#include "evidence/collectors/collector.hpp"
#include "system/clock.hpp"
#include "system/error.hpp"
#include "system/file.hpp"
#include "system/netlink.hpp"
#include "system/nftables/netfilter.hpp"

namespace lab::evidence {
namespace {

// What a live connection can die of when it is changed under it.
constexpr const char* kSysctls[] = {
    "ipv4/ip_forward",
    "ipv4/tcp_retries2",
    "ipv4/tcp_syncookies",
    "ipv4/tcp_fin_timeout",
    "ipv4/tcp_keepalive_time",
    "ipv4/tcp_orphan_retries",
    "ipv4/tcp_abort_on_overflow",
    "ipv4/tcp_max_syn_backlog",
    "ipv4/tcp_mtu_probing",
    "ipv4/tcp_timestamps",
    "ipv4/conf/all/rp_filter",
    "ipv4/ip_no_pmtu_disc",
    "ipv6/conf/all/forwarding",
    "ipv6/conf/all/disable_ipv6",
    "core/somaxconn",
};

std::string command_of(int pid) {
  try {
    auto name = sys::read_file("/proc/" + std::to_string(pid) + "/comm");
    if (!name.empty() && name.back() == '\n') name.pop_back();
    return name;
  } catch (const sys::KernelError&) {
    return "";
  }
}

class Changes : public Source {
 public:
  explicit Changes(std::string netns)
      : netns_(std::move(netns)),
        route_(NETLINK_ROUTE, {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                               RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_NETCONF, RTNLGRP_IPV6_NETCONF}),
        rules_(NETLINK_NETFILTER, {NFNLGRP_NFTABLES}),
        asking_(NETLINK_ROUTE) {
    try {
      xfrm_ = std::make_unique<sys::Netlink>(NETLINK_XFRM, std::vector<unsigned>{XFRMNLGRP_POLICY});
    } catch (const sys::KernelError& reason) {
      why_ = fmt::format("no xfrm policies: {}", reason.what());
    }
    open_sysctls();
    before_ = sysctls();
  }

  std::vector<int> descriptors() const override {
    std::vector<int> all{route_.descriptor(), rules_.descriptor()};
    if (xfrm_) all.push_back(xfrm_->descriptor());
    return all;
  }
  void start(Sink&) override {
    const auto forget = [](const nlmsghdr&) {};
    route_.drain(forget);
    rules_.drain(forget);
    if (xfrm_) xfrm_->drain(forget);
    each_link([&](const nlmsghdr& message) {
      const auto now = link_change(message);
      links_[now.object] = now.kind;
      programs_[now.object] = program_on(message);
    });
  }
  void drain(Sink& sink) override {
    lost_ += route_.drain([&](const nlmsghdr& message) { routing(message, sink); });
    lost_ += rules_.drain([&](const nlmsghdr& message) { put(message, rule_change(message), sink); });
    if (xfrm_) lost_ += xfrm_->drain([&](const nlmsghdr& message) { put(message, policy_change(message), sink); });
  }
  void finish(Sink& sink) override {
    drain(sink);
    compare_sysctls(sink);
    attached(sink);
  }
  Collector account() const override {
    return {.name = "changes", .on = true, .why = why_, .events = events_, .lost = lost_};
  }

 private:
  void routing(const nlmsghdr& message, Sink& sink) {
    switch (message.nlmsg_type) {
      case RTM_NEWLINK:
      case RTM_DELLINK:
        return link(message, sink);
      case RTM_NEWADDR:
      case RTM_DELADDR:
        return put(message, address_change(message), sink);
      case RTM_NEWROUTE:
      case RTM_DELROUTE:
        return put(message, route_change(message), sink);
      // Forwarding, rp_filter and the like: the kernel says when; the others are found at the end (net/ipv4/devinet.c).
      case RTM_NEWNETCONF:
        return compare_sysctls(sink);
      default:
        return;
    }
  }

  void compare_sysctls(Sink& sink) {
    auto now = sysctls();
    for (const auto& [name, value] : now)
      if (const auto old = before_.find(name); old != before_.end() && old->second != value)
        put(nullptr, {.kind = "sysctl", .object = name, .detail = fmt::format("{} -> {}", old->second, value)}, sink);
    before_ = std::move(now);
  }

  // A link says what it is at every occasion; only its coming and going is news, and a program's on it.
  void link(const nlmsghdr& message, Sink& sink) {
    auto change = link_change(message);
    const auto name = change.object, program = program_on(message);
    if (auto& was = programs_[name]; was != program && message.nlmsg_type == RTM_NEWLINK) {
      const bool attached = !program.empty();
      put(message,
          {.kind = attached ? "bpf-attached" : "bpf-detached", .object = name, .detail = attached ? program : was},
          sink);
      was = program;
    }
    if (auto& was = links_[name]; was != change.kind) {
      was = change.kind;
      put(message, std::move(change), sink);
    }
  }

  void each_link(const sys::Netlink::Handler& look) {
    sys::Message message(RTM_GETLINK, NLM_F_DUMP);
    message.fixed<ifinfomsg>().ifi_family = AF_UNSPEC;
    asking_.request(message, "dump the links", look);
  }

  // An XDP program on a link drops before any packet socket sees.
  void attached(Sink& sink) {
    each_link([&](const nlmsghdr& answer) {
      const auto program = program_on(answer);
      if (program.empty()) return;
      sink.put({.t_ns = sys::now_ns(),
                .read_time = true,
                .what = SystemFact{
                    .netns = netns_, .kind = "bpf-attached", .object = link_change(answer).object, .value = program}});
      ++events_;
    });
  }

  void put(const nlmsghdr& message, Change change, Sink& sink) {
    if (change.kind.empty()) return;
    change.netns = netns_;
    // A netlink port is its owner's pid unless somebody chose another; the kernel's own is 0 (man 7 netlink).
    if (message.nlmsg_pid) {
      change.process = command_of(static_cast<int>(message.nlmsg_pid));
      if (!change.process.empty()) change.pid = static_cast<int>(message.nlmsg_pid);
    }
    sink.put({.t_ns = sys::now_ns(), .read_time = true, .what = std::move(change)});
    ++events_;
  }
  void put(std::nullptr_t, Change change, Sink& sink) {
    const nlmsghdr nobody{};
    put(nobody, std::move(change), sink);
  }

  // Opened in the namespace; an open file goes on showing that namespace's value, whoever reads it.
  void open_sysctls() {
    for (const auto* name : kSysctls) try {
        sysctls_.emplace(dotted(name), sys::open_file(std::string("/proc/sys/net/") + name, O_RDONLY));
      } catch (const sys::KernelError& error) {
        if (error.code().value() != ENOENT) throw;  // else this kernel does not have it
      }
  }
  std::map<std::string, std::string> sysctls() const {
    std::map<std::string, std::string> values;
    for (const auto& [name, file] : sysctls_) {
      char value[64];
      const auto length = sys::check(::pread(file.get(), value, sizeof value, 0), name);
      values[name] = std::string(value, static_cast<std::size_t>(length > 0 ? length - 1 : 0));  // without its newline
    }
    return values;
  }
  static std::string dotted(const std::string& path) {
    std::string name = "net." + path;
    std::replace(name.begin(), name.end(), '/', '.');
    return name;
  }

  std::string netns_, why_;
  sys::Netlink route_, rules_, asking_;
  std::map<std::string, sys::Descriptor> sysctls_;
  std::unique_ptr<sys::Netlink> xfrm_;
  std::map<std::string, std::string> links_, programs_, before_;
  std::uint64_t events_ = 0, lost_ = 0;
};

}  // namespace

std::unique_ptr<Source> make_changes(const std::string& netns) { return std::make_unique<Changes>(netns); }

}  // namespace lab::evidence
