#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "commands/commands.hpp"
#include "commands/foreign.hpp"
#include "commands/improvised.hpp"
#include "commands/shell_words.hpp"
#include "scenario/reader.hpp"

namespace lab::commands {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(ShellWords, SplitsAsAShell) {
  EXPECT_THAT(shell_words("python3 server.py  8080"), ElementsAre("python3", "server.py", "8080"));
  EXPECT_THAT(shell_words("a 'b c' \"d e\" f\\ g"), ElementsAre("a", "b c", "d e", "f g"));
  EXPECT_THAT(shell_words("a'b'\"c\"d"), ElementsAre("abcd"));
  EXPECT_THAT(shell_words("'' \"\""), ElementsAre("", ""));
  EXPECT_THAT(shell_words("\"\\n \\\" \\\\ \\$\""), ElementsAre("\\n \" \\ $"));
  EXPECT_THAT(shell_words("'a\\'"), ElementsAre("a\\"));
  EXPECT_THAT(shell_words(" \t\n"), ElementsAre());
}

TEST(ShellWords, AQuoteMustBeClosed) {
  for (const char* text : {"'", "a 'b", "\"", "\"a\\", "a\\"}) EXPECT_THROW(shell_words(text), UsageError) << text;
}

std::vector<std::string> told(std::string_view ruleset) {
  std::vector<std::string> all;
  for (const auto& name : foreign_names(ruleset)) {
    all.push_back(name.name + ":" + std::to_string(name.line) + (name.fatal ? " fatal" : ""));
  }
  return all;
}

constexpr const char* kDump = R"(table inet filter {
  # iifname "commented"
  chain input {
    type filter hook input priority 0; policy drop;
    iifname "lo" accept
    iif eth0 tcp dport 22 accept
    iifname { "docker0", "br-1234" } drop
    iifname vmap { "eth0" : jump from_net, "lo" : accept }
    oifname != "wg0" drop
    meta iifname "lo*" log prefix "iifname eth9 "
  }
  chain early { type filter hook ingress device "eth0" priority 0; }
}
)";

TEST(Foreign, NamesAreFoundWithTheirLines) {
  EXPECT_THAT(told(kDump), ElementsAre("eth0:6 fatal", "docker0:7", "br-1234:7", "eth0:8", "wg0:9", "eth0:12 fatal"));
}

TEST(Foreign, NamesInSetsAndMapsAreFound) {
  constexpr const char* sets = R"(table inet filter {
  set lans { type ifname; elements = { "lan0", "lan1" timeout 5m, "lo" } }
  set pairs {
    typeof iifname . ip saddr
    elements = { "wan0" . 192.0.2.1 counter packets 1 bytes 2 comment "eth7",
                 "wan1" . 192.0.2.2 }
  }
  map zones {
    type ifname : verdict
    elements = { "dmz0" : jump dmz, "dmz1" : drop }
  }
  set addresses { type ipv4_addr; elements = { 192.0.2.3 } }
  set ports { type inet_service . ifname; elements = { 22 . "vpn0" } }
  chain c { type filter hook input priority 0; iifname @lans accept; }
}
)";
  EXPECT_THAT(told(sets), ElementsAre("lan0:2", "lan1:2", "wan0:5", "wan1:6", "dmz0:10", "dmz1:10", "vpn0:13"));
  EXPECT_EQ(match_to_sandbox("set s { type ifname; elements = { \"a\", \"b\" } }").text,
            "set s { type ifname; elements = { \"lo\", \"lo\" } }");
}

TEST(Foreign, WithoutThemNothingChanges) {
  const std::string own = "table inet t { chain c { iif lo accept; } }";
  EXPECT_EQ(match_to_sandbox(own).text, own);
  EXPECT_EQ(match_to_sandbox(own).hidden, 0U);
}

TEST(Foreign, AreMatchedToTheLinkAndWhatAcceptsTheLinkIsHidden) {
  const auto adapted = match_to_sandbox(
      "iif \"lo\" accept\niifname lo accept\niif eth0 drop\noifname { \"a\", \"b\" } drop\niif lo drop\n");
  EXPECT_EQ(adapted.text,
            "iifname \"lab-none\" accept\niifname lab-none accept\niif lo drop\noifname { \"lo\", \"lo\" } drop\niif "
            "lo drop\n");
  EXPECT_EQ(adapted.hidden, 2U);
}

TEST(Foreign, WhatTranslatesOnAnotherLinkDoesNotTranslateOnLoopback) {
  const auto adapted = match_to_sandbox("oifname \"eth0\" masquerade\noif eth1 snat to 192.0.2.1\niifname eth0 drop\n");
  EXPECT_EQ(adapted.text, "oifname \"lab-none\" masquerade\noifname lab-none snat to 192.0.2.1\niifname lo drop\n");
  EXPECT_EQ(adapted.untranslated, 2U);
  EXPECT_EQ(adapted.hidden, 0U);
}

TEST(Foreign, OfAMapsKeysOneIsTheLink) {
  EXPECT_EQ(match_to_sandbox("iifname vmap { \"eth0\" : jump lan, \"eth1\" : accept }").text,
            "iifname vmap { \"lo\" : jump lan, \"lab-none\" : accept }");
  EXPECT_EQ(match_to_sandbox("map m { type ifname : verdict; elements = { \"a\" : jump x, \"b\" : drop } }").text,
            "map m { type ifname : verdict; elements = { \"lo\" : jump x, \"lab-none\" : drop } }");
}

TEST(Foreign, AnUnclosedQuoteOrBraceEndsTheSearch) {
  for (const char* text : {"iif \"eth0", "iifname { eth0", "iifname", "iif {", "iifname vmap { \"a\" :", "type",
                           "type ifname elements = { a . ", "elements = {"}) {
    EXPECT_NO_THROW(foreign_names(text));
    EXPECT_NO_THROW(match_to_sandbox(text));
  }
}

DiagnoseArguments pair() {
  DiagnoseArguments a;
  a.server = "python3 'my server.py'";
  a.client = "./client";
  a.port = 8888;
  return a;
}

scenario::Scenario scenario_of(const DiagnoseArguments& arguments, const std::string& ruleset = {}) {
  auto read = scenario::parse_scenario(improvise(arguments, ruleset), "/tmp/diagnose.toml", {});
  for (const auto& mistake : read.mistakes) ADD_FAILURE() << scenario::to_string(mistake);
  return read.value;
}

TEST(Improvise, IsAScenarioThatReads) {
  auto a = pair();
  a.limits = {"nofile=64", "client.as=64MiB"};
  a.seccomp = {"accept4=errno EMFILE 3+"};
  a.sysctl = {"net.ipv4.tcp_retries2=3"};
  a.timeout = "5s";
  const auto s = scenario_of(a, "table inet x {\n\tcomment \"a \\ b\"\n}\n");
  ASSERT_EQ(s.actors.size(), 2U);
  EXPECT_EQ(s.actors[0].listen->port, 8888);
  EXPECT_THAT(s.actors[0].run, testing::Contains("my server.py"));
  EXPECT_EQ(s.actors[0].limits.nofile, 64U);
  EXPECT_EQ(s.actors[1].limits.as, 64U << 20U);
  ASSERT_TRUE(s.actors[0].seccomp);
  EXPECT_EQ(s.actors[0].seccomp->rules[0].action.error, EMFILE);
  EXPECT_EQ(s.actors[0].seccomp->rules[0].when->first, 3U);
  EXPECT_EQ(s.firewall.ruleset, "table inet x {\n\tcomment \"a \\ b\"\n}\n");
  EXPECT_EQ(s.timeout, std::chrono::seconds(5));
}

TEST(Improvise, AClientAloneIsToldWhereToGo) {
  DiagnoseArguments a;
  a.command = {"curl", "-s", "it's\n\x01 \"odd\""};
  a.port = 9;
  const auto s = scenario_of(a);
  ASSERT_EQ(s.actors.size(), 1U);
  EXPECT_EQ(s.actors[0].run.back(), "it's\n\x01 \"odd\"");
  EXPECT_EQ(s.actors[0].env.at("LAB_PORT"), "9");
}

TEST(Improvise, SixIsSix) {
  auto a = pair();
  a.ipv6 = true;
  const auto s = scenario_of(a);
  EXPECT_EQ(s.network.family, scenario::Family::ipv6);
  EXPECT_EQ(s.actors[0].listen->host, "::1");
}

TEST(Improvise, TheOutcomeReadsAsExpectations) {
  report::Report r;
  r.judgement.run.cause = "firewall/drop";
  r.judgement.connections.resize(1);
  r.judgement.connections[0].closes = "server FIN";
  report::ActorLine client{.role = "client", .name = "client"}, server{.role = "server", .name = "server"};
  client.exit = 3;
  server.signal = "SIGKILL";
  r.actors = {client, server};
  r.faults = {{.name = "server.limits.nofile", .kind = "limit"},
              {.name = "client: recvfrom errno EIO 2", .kind = "seccomp"}};
  auto a = pair();
  a.limits = {"nofile=64", "as=1MiB"};
  a.seccomp = {"client.recvfrom=errno EIO 2", "accept4=kill-process"};
  auto read = scenario::parse_scenario(improvise(a, "", unfired(r)) + expectations_of(r), "/tmp/diagnose.toml", {});
  for (const auto& mistake : read.mistakes) ADD_FAILURE() << scenario::to_string(mistake);
  EXPECT_THAT(read.value.expect.cause, ElementsAre("firewall/drop"));
  EXPECT_EQ(read.value.expect.actors.size(), 2U);
  EXPECT_EQ(read.value.expect.wire.size(), 1U);
  EXPECT_FALSE(read.value.actors[0].limits.nofile);
  EXPECT_TRUE(read.value.actors[0].limits.as);
  EXPECT_TRUE(read.value.actors[0].seccomp);
  EXPECT_FALSE(read.value.actors[1].seccomp);
}

// One connection that the server closed; the client's bytes came at 5 ms.
report::Report closed_by_server(const std::string& cause, std::int64_t read_ms) {
  const auto client = *evidence::parse_address("127.0.0.1:45000"), server = *evidence::parse_address("127.0.0.1:8888");
  report::Report r;
  r.judgement.run.cause = cause;
  r.judgement.connections.resize(1);
  auto& one = r.judgement.connections.front();
  one.client = client;
  one.server = server;
  one.closes = "server RST";
  evidence::Segment bytes;
  bytes.source = client;
  bytes.target = server;
  bytes.length = 100;
  r.timeline.events = {{.t_ns = 5'000'000, .what = bytes}};
  if (read_ms)
    r.timeline.events.push_back(
        {.t_ns = read_ms * 1'000'000,
         .what = evidence::Call{.name = "recvfrom", .result = 10, .local = server, .peer = client}});
  std::stable_sort(r.timeline.events.begin(), r.timeline.events.end(),
                   [](auto& a, auto& b) { return a.t_ns < b.t_ns; });
  report::ActorLine actor{.role = "client", .name = "client"};
  actor.exit = 1;
  r.actors = {actor};
  return r;
}

scenario::Expect expected(const report::Report& report) {
  auto read = scenario::parse_scenario(improvise(pair(), "") + expectations_of(report), "/tmp/diagnose.toml", {});
  for (const auto& mistake : read.mistakes) ADD_FAILURE() << scenario::to_string(mistake);
  return read.value.expect;
}

TEST(Improvise, WhatARaceDecidedIsNotExpectedAgain) {
  for (const std::int64_t read_ms : {0, 2}) {
    const auto raced = closed_by_server("application/closed-unread", read_ms);
    const auto expect = expected(raced);
    EXPECT_THAT(expect.cause, ElementsAre("application/closed", "application/closed-unread"));
    EXPECT_TRUE(expect.wire.empty());
    EXPECT_TRUE(expect.actors.empty());
    EXPECT_THAT(expectations_of(raced),
                testing::HasSubstr("# A race: where bytes of the client arrive before the server"));
  }
  const auto sure = expected(closed_by_server("application/closed-unread", 7));  // it had read a part of what was there
  EXPECT_THAT(sure.cause, ElementsAre("application/closed-unread"));
  EXPECT_EQ(sure.wire.size(), 1U);
  EXPECT_EQ(sure.actors.size(), 1U);
}

TEST(Improvise, ARunThatWasStoppedSaysThatItCantPass) {
  auto r = closed_by_server("application/not-answering", 7);
  EXPECT_THAT(expectations_of(r), testing::Not(testing::HasSubstr("#")));
  r.result = report::Result::timeout;
  r.reason = "the run's deadline of 1000 ms passed";
  EXPECT_THAT(expectations_of(r),
              testing::HasSubstr("# This run did not end by itself: it was stopped (the run's deadline"));
  EXPECT_THAT(expected(r).cause, ElementsAre("application/not-answering"));
}

TEST(Improvise, AnUnknownCauseIsNoneToExpect) { EXPECT_TRUE(expected(closed_by_server("unknown", 7)).cause.empty()); }

TEST(Foreign, AFlowtablesDevicesBecomeOne) {
  EXPECT_EQ(match_to_sandbox("flowtable f { devices = { eth0, \"eth1\",\n eth2 }; }").text,
            "flowtable f { devices = { lo         \n      }; }");
  EXPECT_EQ(match_to_sandbox("flowtable f { devices = { lo, eth0 }; }").text,
            "flowtable f { devices = { lo       }; }");
}

}  // namespace
}  // namespace lab::commands
