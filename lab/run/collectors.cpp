#include "run/collectors.hpp"

namespace lab::run {

std::span<const std::string_view> collector_names() {
  static constexpr std::string_view all[] = {"wire",    "nft-trace", "changes",  "counters", "conntrack",
                                             "sockets", "processes", "syscalls", "kernel"};
  return all;
}

}  // namespace lab::run
