// The words of the language that stand for one of a few things, each table the only place where they are spelled.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "scenario/types.hpp"

namespace lab::scenario {

template <class T>
struct Named {
  std::string_view name;
  T value;
};

inline constexpr Named<Family> kFamilies[] = {{"ipv4", Family::ipv4}, {"ipv6", Family::ipv6}};

inline constexpr Named<Topology> kTopologies[] = {{"loopback", Topology::loopback}, {"routed", Topology::routed}};

inline constexpr Named<Role> kRoles[] = {
    {"server", Role::server}, {"client", Role::client}, {"proxy", Role::proxy}, {"operator", Role::op}};

inline constexpr Named<Hook> kHooks[] = {{"prerouting", Hook::prerouting},
                                         {"input", Hook::input},
                                         {"forward", Hook::forward},
                                         {"output", Hook::output},
                                         {"postrouting", Hook::postrouting}};

inline constexpr Named<Direction> kDirections[] = {
    {"to-server", Direction::to_server}, {"to-client", Direction::to_client}, {"both", Direction::both}};

inline constexpr Named<RuleAction> kRuleActions[] = {{"drop", RuleAction::drop},
                                                     {"reject tcp-reset", RuleAction::reject_tcp_reset},
                                                     {"reject port-unreachable", RuleAction::reject_port},
                                                     {"reject host-unreachable", RuleAction::reject_host},
                                                     {"reject net-unreachable", RuleAction::reject_net},
                                                     {"reject admin-prohibited", RuleAction::reject_admin},
                                                     {"accept", RuleAction::accept},
                                                     {"count", RuleAction::count}};

// `errno NAME` is the one action with an argument; seccomp.cpp reads it.
inline constexpr Named<FilterAction> kFilterActions[] = {{"allow", FilterAction::allow},
                                                         {"stall", FilterAction::stall},
                                                         {"kill-process", FilterAction::kill_process},
                                                         {"kill-thread", FilterAction::kill_thread},
                                                         {"trap", FilterAction::trap},
                                                         {"log", FilterAction::log}};

// Bits of the TCP header's flags byte (RFC 9293, 3.1).
inline constexpr Named<std::uint8_t> kTcpFlags[] = {{"fin", 1},  {"syn", 2},  {"rst", 4},  {"psh", 8},
                                                    {"ack", 16}, {"urg", 32}, {"ece", 64}, {"cwr", 128}};

template <class T, std::size_t N>
constexpr std::optional<T> value_of(const Named<T> (&table)[N], std::string_view name) {
  for (const auto& row : table) {
    if (row.name == name) return row.value;
  }
  return {};
}

template <class T, std::size_t N>
constexpr std::string_view spelled(const Named<T> (&table)[N], T value) {
  for (const auto& row : table) {
    if (row.value == value) return row.name;
  }
  return {};
}

template <class T, std::size_t N>
constexpr std::array<std::string_view, N> names_of(const Named<T> (&table)[N]) {
  std::array<std::string_view, N> names{};
  for (std::size_t i = 0; i < N; ++i) names[i] = table[i].name;
  return names;
}

}  // namespace lab::scenario
