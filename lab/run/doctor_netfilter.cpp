// Each feature of nftables that a rule key needs, tried with a rule of that kind.
#include "firewall/compiler.hpp"
#include "firewall/whole.hpp"
#include "run/doctor.hpp"
#include "system/error.hpp"

namespace lab::run {

namespace {

using scenario::Rule;

struct Feature {
  const char* name;
  const char* modules;
  void (*ask)(Rule& rule);
};
const std::vector<Feature>& features() {
  static const std::vector<Feature> all = {
      {"drop", "nf_tables", [](Rule&) {}},
      {"reject", "nft_reject_inet", [](Rule& r) { r.action = scenario::RuleAction::reject_tcp_reset; }},
      {"after-handshake", "nf_tables", [](Rule& r) { r.match.after = {.handshake = true}; }},
      {"after-time", "nf_tables", [](Rule& r) { r.match.after = {.time = std::chrono::milliseconds(200)}; }},
      {"after-packets", "nft_ct", [](Rule& r) { r.match.after = {.packets = 5}; }},
      {"state", "nft_ct", [](Rule& r) { r.match.state = {"established"}; }},
      {"payload", "nf_tables", [](Rule& r) { r.match.payload = "GET "; }},
      {"every", "nft_numgen", [](Rule& r) { r.match.every = 3; }},
      {"probability", "nft_numgen", [](Rule& r) { r.match.probability = 0.5; }},
      {"rate", "nft_limit", [](Rule& r) { r.match.rate = {.count = 10}; }},
      {"connections", "nft_connlimit",
       [](Rule& r) {
         r.match.connections = {scenario::Comparison::Op::more, 2};
       }},
  };
  return all;
}

Ability try_rule(const Feature& feature) {
  Ability ability{.kind = "netfilter", .name = feature.name, .loss = "scenarios whose rules need it are skipped"};
  ability = tried(ability, [&] {
    Rule rule{.name = "try"};
    feature.ask(rule);
    firewall::Ruleset rules(scenario::Family::ipv4,
                            {.server_address = "127.0.0.1", .client_address = "127.0.0.1", .server_port = 8080});
    rules.add({rule});
  });
  if (!ability.yes) ability.fix = std::string("modprobe ") + feature.modules;
  return ability;
}

Ability try_whole(const char* name, const char* text, const char* fix) {
  Ability ability{.kind = "netfilter", .name = name, .loss = "scenarios with such a ruleset are skipped"};
  ability = tried(ability, [&] {
    const auto loaded = firewall::load(
        text, {.server_address = "127.0.0.1", .client_address = "127.0.0.1", .server_port = 8080}, "try.nft");
    if (!loaded.ok) throw sys::LabError(loaded.messages);
  });
  if (!ability.yes) ability.fix = fix;
  return ability;
}

}  // namespace

std::vector<Ability> examine_netfilter() {
  std::vector<Ability> all;
  for (const auto& feature : features()) all.push_back(try_rule(feature));
  all.push_back(try_whole("whole-rulesets", "table inet try {\n chain c {\n }\n}\n", "apt-get install libnftables1"));
  all.push_back(try_whole(
      "nat",
      "table ip try-nat {\n chain c {\n type nat hook output priority -100\n tcp dport 1 redirect to :2\n }\n}\n",
      "modprobe nft_redir nft_chain_nat"));
  return all;
}

}  // namespace lab::run
