// --set KEY=VALUE, several of them, one a line, on a scenario that has something of everything. What can be set is read
// as a scenario too, which takes most of the time.
#include <string>

#include "scenario/reader.hpp"
#include "scenario/set.hpp"
#include "target.hpp"

namespace {

constexpr const char* kScenario = R"(
summary = "Something of everything"
tags = ["firewall"]
[network]
sysctl = { "net.ipv4.tcp_retries2" = 3 }
[[firewall.rule]]
name = "eat"
after = "handshake"
action = "drop"
[[server]]
name = "web"
limits = { nofile = 16 }
steps = ["accept", "recv 64", "close"]
[[server.seccomp.rule]]
syscall = "accept4"
action = "errno EMFILE"
[client]
options = { nodelay = true }
steps = ["connect", "send 'x'", "recv 64 timeout=1s"]
[expect]
cause = "firewall/drop"
[expect.client]
recv = ["timeout", "ETIMEDOUT"]
)";

// The scenario's tree, parsed once; the nodes point into it.
const lab::scenario::Document& tree() {
  static std::vector<lab::scenario::Mistake> none;
  static const lab::scenario::Document document(kScenario, "fuzz.toml", none);
  return document;
}

bool can_be_set(const std::vector<std::string>& settings) {
  std::vector<lab::scenario::Mistake> mistakes;
  lab::scenario::Document document("", "fuzz.toml", mistakes);
  document.root() = tree().root();
  for (const auto& setting : settings) lab::scenario::apply_set(setting, document, mistakes);
  for (const auto& mistake : mistakes) (void)lab::scenario::to_string(mistake);
  return mistakes.empty();
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lab::scenario::Overrides overrides;
  std::string line;
  for (const char c : lab::fuzz::text(data, size)) {
    if (c != '\n') {
      line += c;
      continue;
    }
    overrides.set.push_back(std::move(line));
    line.clear();
  }
  overrides.set.push_back(std::move(line));
  if (!can_be_set(overrides.set)) return 0;
  const auto read = lab::scenario::parse_scenario(kScenario, "/dev/null/none/fuzz.toml", {}, overrides);
  for (const auto& mistake : read.mistakes) (void)lab::scenario::to_string(mistake);
  return 0;
}
