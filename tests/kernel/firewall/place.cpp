#include "place.hpp"

#include <cerrno>
#include <cstdio>
#include <regex>

#include "system/error.hpp"

namespace lab::test {

void nft(const std::string& text) {
  FILE* pipe = ::popen("nft -f - 2>&1", "w");
  if (!pipe) throw sys::KernelError(errno, "nft");
  std::fwrite(text.data(), 1, text.size(), pipe);
  ASSERT_EQ(::pclose(pipe), 0) << "nft refused:\n" << text;
}

const char* loopback(scenario::Family family) { return family == scenario::Family::ipv4 ? "127.0.0.1" : "::1"; }

firewall::Flow flow(scenario::Family family, std::uint16_t port) {
  return {family, loopback(family), loopback(family), port};
}

std::uint64_t hits(const firewall::Ruleset& ruleset, const std::string& name) {
  std::uint64_t packets = 0;
  for (const auto& held : ruleset.held())
    if (held.name == name) packets += held.packets;
  return packets;
}

bool wait_for_hits(const firewall::Ruleset& ruleset, const std::string& name, std::uint64_t wanted) {
  return wait_until([&] { return hits(ruleset, name) >= wanted; });
}

std::string listed() {
  auto text = output_of("nft list ruleset");
  text = std::regex_replace(text, std::regex(" # progname .*"), "");
  return std::regex_replace(text, std::regex("counter packets [0-9]+ bytes [0-9]+"), "counter packets 0 bytes 0");
}

}  // namespace lab::test
