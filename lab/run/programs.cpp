#include "run/programs.hpp"

#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>

#include "system/error.hpp"
#include "system/netlink.hpp"

namespace lab::run {

namespace {

constexpr char kLicense[] = "Dual MIT/GPL";

int bpf(int command, bpf_attr& how, std::string_view object) {
  return static_cast<int>(sys::check(::syscall(SYS_bpf, command, &how, sizeof how), object));
}

// `return verdict;`
sys::Descriptor load_constant(bpf_prog_type type, bpf_attach_type expected, int verdict, const char* name) {
  const bpf_insn program[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = verdict},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  bpf_attr how{};
  how.prog_type = type;
  how.expected_attach_type = expected;
  how.insns = reinterpret_cast<std::uintptr_t>(program);
  how.insn_cnt = std::size(program);
  how.license = reinterpret_cast<std::uintptr_t>(kLicense);
  std::string_view(name).copy(how.prog_name, sizeof how.prog_name - 1);
  return sys::Descriptor(bpf(BPF_PROG_LOAD, how, name));
}

int device_for_program(sys::Netlink& netlink) {
  int chosen = 0;
  sys::Message message(RTM_GETLINK, NLM_F_DUMP);
  message.fixed<ifinfomsg>().ifi_family = AF_UNSPEC;
  netlink.request(message, "dump the links", [&](const nlmsghdr& answer) {
    const auto& link = *static_cast<const ifinfomsg*>(mnl_nlmsg_get_payload(&answer));
    if (!chosen && !(link.ifi_flags & IFF_LOOPBACK) && (link.ifi_flags & IFF_UP)) chosen = link.ifi_index;
  });
  return chosen ? chosen : static_cast<int>(::if_nametoindex("lo"));
}

}  // namespace

bool attaches(const scenario::Scenario& scenario, std::string_view what) {
  return std::any_of(scenario.actors.begin(), scenario.actors.end(), [&](const scenario::Actor& actor) {
    return std::any_of(actor.steps.begin(), actor.steps.end(), [&](const scenario::Step& step) {
      return step.verb == scenario::Verb::attach && !step.words.empty() && step.words[0] == what;
    });
  });
}

Programs load_programs(const scenario::Scenario& scenario, const Options& options) {
  Programs programs;
  const bool xdp = attaches(scenario, "xdp-drop"), cgroup = attaches(scenario, "cgroup-drop");
  if (!xdp && !cgroup) return programs;
  if (::geteuid() != 0 || options.rootless)
    throw sys::Unavailable("attach: a BPF program needs root outside; run lab with sudo");
  try {
    // 0: not allowed (net/core/filter.c, cg_skb_verifier_ops).
    if (xdp) programs.xdp = load_constant(BPF_PROG_TYPE_XDP, BPF_XDP, XDP_DROP, "lab_xdp_drop");
    if (cgroup) programs.cgroup = load_constant(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_EGRESS, 0, "lab_cgroup_drop");
  } catch (const sys::KernelError& refused) {
    throw sys::Unavailable(std::string("attach: no BPF program can be loaded here: ") + refused.what());
  }
  return programs;
}

void attach_to_link(const sys::Descriptor& program) {
  sys::Netlink netlink(NETLINK_ROUTE);
  sys::Message message(RTM_SETLINK);
  message.fixed<ifinfomsg>().ifi_index = device_for_program(netlink);
  auto* header = message.header();
  auto* xdp = mnl_attr_nest_start(header, IFLA_XDP);
  mnl_attr_put_u32(header, IFLA_XDP_FD, static_cast<std::uint32_t>(program.get()));
  mnl_attr_put_u32(header, IFLA_XDP_FLAGS, XDP_FLAGS_SKB_MODE);
  mnl_attr_nest_end(header, xdp);
  netlink.request(message, "attach an XDP program");
}

void attach_to_groups(const sys::Descriptor& program, const Groups& groups) {
  for (const auto& [name, group] : groups) {
    const int folder = group.doors().folder;
    if (folder < 0) continue;
    bpf_attr how{};
    how.target_fd = static_cast<std::uint32_t>(folder);
    how.attach_bpf_fd = static_cast<std::uint32_t>(program.get());
    how.attach_type = BPF_CGROUP_INET_EGRESS;
    how.attach_flags = BPF_F_ALLOW_MULTI;
    bpf(BPF_PROG_ATTACH, how, "attach a BPF program to the control group of " + name);
  }
}

}  // namespace lab::run
