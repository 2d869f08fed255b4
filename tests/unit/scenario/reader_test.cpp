#include "scenario/reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "support/tree.hpp"

namespace {

using namespace lab::scenario;

const std::filesystem::path kSource = lab::test::kSourceDir;

constexpr const char* kWhole = R"(summary = "one line"
[server]
steps = ["accept", "recv 64", "close"]
[client]
steps = ["connect", "send 'hello'", "recv 64 timeout=50ms"]
)";

Read<Scenario> parse(const std::string& text) { return parse_scenario(text, "x.toml", {kSource / "rules"}); }

// Some mistake stands on `line` and its message or hint has `part`.
::testing::AssertionResult has(const Read<Scenario>& read, std::uint32_t line, const std::string& part) {
  for (const auto& mistake : read.mistakes)
    if (mistake.place.line == line && (mistake.message + " " + mistake.hint).find(part) != std::string::npos)
      return ::testing::AssertionSuccess();
  auto failure = ::testing::AssertionFailure() << "no mistake on line " << line << " with '" << part << "' among:";
  for (const auto& mistake : read.mistakes) failure << "\n" << to_string(mistake);
  return failure;
}

TEST(Reader, AWholeScenario) {
  const auto read = parse(kWhole);
  ASSERT_TRUE(read.ok()) << to_string(read.mistakes.front());
  ASSERT_EQ(read.value.actors.size(), 2U);
  const auto client =
      std::find_if(read.value.actors.begin(), read.value.actors.end(), [](auto& a) { return a.role == Role::client; });
  ASSERT_EQ(client->steps.size(), 3U);
  EXPECT_EQ(client->steps[1].text, "hello");
  EXPECT_EQ(client->steps[2].size, 64U);
  EXPECT_EQ(client->steps[2].timeout, std::chrono::milliseconds(50));
}

TEST(Reader, EveryMistakeInOneGoEachWithItsPlace) {
  const auto read = parse(R"(summary = "x"
timeuot = "5s"
[server]
steps = ["acept", "recv 64"]
backlog = "many"
[client]
steps = ["connect"]
limits = { nofiles = 3 }
)");
  EXPECT_TRUE(has(read, 2, "timeout"));
  EXPECT_TRUE(has(read, 4, "accept"));
  EXPECT_TRUE(has(read, 5, "backlog"));
  EXPECT_TRUE(has(read, 8, "nofile"));
}

TEST(Reader, ATomlErrorHasItsPlace) { EXPECT_TRUE(has(parse("summary = \n"), 1, "")); }

TEST(Reader, AnUnknownRuleErrnoOrCallIsAMistake) {
  const std::string head = "summary = \"x\"\n[client]\nsteps = [\"connect\"]\n";
  EXPECT_FALSE(parse(head + "[firewall]\nrules = [\"drop-after-handshak\"]\n").ok());
  EXPECT_FALSE(parse(head + "[[client.seccomp.rule]]\nsyscall = \"acept4\"\naction = \"errno EPERM\"\n").ok());
  EXPECT_FALSE(parse(head + "[[client.seccomp.rule]]\nsyscall = \"accept4\"\naction = \"errno EPREM\"\n").ok());
  EXPECT_FALSE(parse(head + "[[client.seccomp.rule]]\nsyscall = \"accept4\"\naction = \"log\"\nwhen = \"3\"\n").ok());
  EXPECT_TRUE(
      parse(head + "[[client.seccomp.rule]]\nsyscall = \"accept4\"\naction = \"errno EPERM\"\nwhen = \"3+\"\n").ok());
}

TEST(Reader, TheFamilyOverrideTranslatesLoopback) {
  Overrides overrides;
  overrides.family = Family::ipv6;
  const auto read = parse_scenario(kWhole, "x.toml", {}, overrides);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value.network.family, Family::ipv6);
  const auto server =
      std::find_if(read.value.actors.begin(), read.value.actors.end(), [](auto& a) { return a.role == Role::server; });
  ASSERT_TRUE(server->listen);
  EXPECT_EQ(server->listen->host, "::1");
}

TEST(Reader, SetChangesADottedKeyAndItsMistakesSaySo) {
  Overrides overrides;
  overrides.set = {"server.limits.nofile=8", "timeout=2s"};
  auto read = parse_scenario(kWhole, "x.toml", {}, overrides);
  ASSERT_TRUE(read.ok()) << to_string(read.mistakes.front());
  EXPECT_EQ(read.value.timeout, std::chrono::seconds(2));
  overrides.set = {"server.limits.nofile=lots"};
  read = parse_scenario(kWhole, "x.toml", {}, overrides);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(to_string(read.mistakes.front()).find("--set"), std::string::npos);
}

TEST(Reader, Ranges) {
  EXPECT_TRUE(parse_range("3")->contains(3));
  EXPECT_FALSE(parse_range("3")->contains(4));
  EXPECT_TRUE(parse_range("3+")->contains(99));
  EXPECT_FALSE(parse_range("3..5")->contains(6));
  EXPECT_TRUE(parse_range("3+2")->contains(5));
  EXPECT_FALSE(parse_range("3+2")->contains(4));
  EXPECT_FALSE(parse_range("three"));
}

TEST(Reader, DurationsAndSizes) {
  EXPECT_EQ(parse_duration("50ms"), std::chrono::milliseconds(50));
  EXPECT_EQ(parse_duration("2m"), std::chrono::minutes(2));
  EXPECT_FALSE(parse_duration("2 fortnights"));
  EXPECT_EQ(parse_size("64"), 64U);
  EXPECT_EQ(parse_size("4KiB"), 4096U);
  EXPECT_FALSE(parse_size("4KB?"));
}

TEST(Shipped, EveryScenarioReads) {
  for (const auto& file : std::filesystem::directory_iterator(kSource / "scenarios")) {
    if (file.path().extension() != ".toml") continue;
    const auto read = read_scenario(file.path(), {kSource / "rules"});
    for (const auto& mistake : read.mistakes) ADD_FAILURE() << to_string(mistake);
  }
}

TEST(Shipped, EveryRuleFileReads) {
  for (const auto& file : std::filesystem::directory_iterator(kSource / "rules")) {
    if (file.path().extension() != ".toml") continue;
    const auto read = read_rules(file.path());
    for (const auto& mistake : read.mistakes) ADD_FAILURE() << to_string(mistake);
    EXPECT_FALSE(read.value.summary.empty()) << file.path();
  }
}

}  // namespace
