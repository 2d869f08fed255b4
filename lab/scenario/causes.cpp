#include "scenario/causes.hpp"

namespace lab::scenario {
namespace {

constexpr std::string_view kCauses[] = {
    "none",
    "application/closed",
    "application/closed-unread",
    "application/reset",
    "application/exited",
    "application/crashed",
    "application/killed",
    "application/stopped",
    "application/not-accepting",
    "application/not-reading",
    "application/not-answering",
    "application/listener-closed",
    "application/backend-refused",
    "limits/descriptors",
    "limits/processes",
    "limits/memory",
    "limits/file-size",
    "limits/cpu-time",
    "limits/accept-queue",
    "limits/receive-buffer",
    "firewall/drop",
    "firewall/reject-reset",
    "firewall/reject-icmp",
    "firewall/nat-lost",
    "firewall/mangled",
    "seccomp/errno",
    "seccomp/killed",
    "seccomp/stalled",
    "kernel/socket-destroyed",
    "kernel/socket-expired",
    "kernel/route",
    "kernel/link-down",
    "kernel/address-removed",
    "kernel/bpf",
    "kernel/ipsec-policy",
    "kernel/tcp-option",
    "network/peer-silent",
    "network/injected-reset",
    "network/injected-fin",
    "connect/refused",
    "connect/no-answer",
    "connect/wrong-family",
    "connect/unreachable",
    "connect/queue-full",
    "connect/never-tried",
    "unknown",
};

constexpr std::string_view kLayers[] = {"application", "limits",  "firewall", "seccomp",
                                        "kernel",      "network", "connect",  "healthy"};

}  // namespace

std::span<const std::string_view> cause_names() { return kCauses; }
std::span<const std::string_view> layer_names() { return kLayers; }

}  // namespace lab::scenario
