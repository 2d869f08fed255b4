#include "scenario/template.hpp"

namespace lab::scenario {
namespace {

constexpr const char* kTemplate = R"TOML(# A scenario: who talks to whom, what goes wrong, and what must come of it.
#
#   lab check NAME.toml      every mistake, with its place
#   lab run NAME.toml        runs it and says why the connection ended
#   lab run NAME.toml -n     says what would be built
#
# docs/scenario-format.md (man 5 lab-scenario) has every key and every step.

summary = "The handshake passes; every later client segment is dropped"
description = """
What happens, and why, for somebody who met it in production.
"""
tags = ["firewall"]            # the first that names a layer groups it in `lab list`
timeout = "5s"                 # the whole run's deadline

[network]
topology = "loopback"          # or "routed": client, router and server, with the firewall on the router
# family = "ipv6"              # -4 and -6 choose it for one run
# mtu = 1500                   # real packets of this size, no offloads
# sysctl = { "net.ipv4.tcp_retries2" = 3 }

# ---- what goes wrong: rules here, rule files (`lab list --rules`), or a whole ruleset in nft syntax

# [firewall]
# rules = ["drop-after-handshake"]
# ruleset = "my-firewall.nft"

[[firewall.rule]]
name = "drop-it-all"           # [expect.rules] and the report call it this
hook = "output"                # prerouting, input, forward, output, postrouting
direction = "to-server"        # to-client, both
after = "handshake"            # or { packets = 5 }, { bytes = "4KiB" }, { time = "200ms" }
action = "drop"                # reject tcp-reset, reject port-unreachable, …, accept, count

# ---- who acts: steps, or a program of your own

[server]
# listen = "127.0.0.1:8080"    # the default
steps = ["accept", "recv 64", "send 'Hello Client'", "close"]
# run = ["python3", "server.py"]
# limits = { nofile = 16 }

# [[server.seccomp.rule]]
# syscall = "accept4"
# action = "errno EMFILE"
# when = "3+"

[client]
steps = ["connect", "send 'Hello Server'", "recv 64 timeout=500ms", "close"]

# ---- what must come of it: `lab run` fails when a line does not hold

[expect]
cause = "firewall/drop"        # `lab causes` lists them
[expect.client]
connect = "ok"
send = "12 bytes"
recv = "timeout"               # or a list of what may happen
[expect.server]
accept = "ok"
recv = "stopped"               # it was still waiting when the run ended
[expect.rules]
drop-it-all = ">=1"
)TOML";

}  // namespace

std::string template_for(const std::string& name) {
  std::string text = kTemplate;
  constexpr std::string_view kPlaceholder = "NAME";
  for (auto at = text.find(kPlaceholder); at != text.npos; at = text.find(kPlaceholder, at + name.size())) {
    text.replace(at, kPlaceholder.size(), name);
  }
  return text;
}

}  // namespace lab::scenario
