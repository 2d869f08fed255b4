// The rules library: every rule file reads, loads and acts on the flow; every whole ruleset loads, and the sound ones
// let connections live.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "firewall/whole.hpp"
#include "place.hpp"
#include "rules.hpp"
#include "scenario/reader.hpp"
#include "support/tree.hpp"
#include "system/error.hpp"
#include "wire.hpp"

namespace lab::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> files(const std::string& extension) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(fs::path(kSourceDir) / "rules"))
    if (entry.path().extension() == extension) all.push_back(entry.path().string());
  std::sort(all.begin(), all.end());
  return all;
}

std::string text_of(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string title(const ::testing::TestParamInfo<std::string>& of) {
  auto name = fs::path(of.param).stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

class RuleFile : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Library, RuleFile, ::testing::ValuesIn(files(".toml")), title);

TEST_P(RuleFile, ReadsAndLoadsInBothFamilies) {
  const auto read = scenario::read_rules(GetParam());
  for (const auto& mistake : read.mistakes) ADD_FAILURE() << scenario::to_string(mistake);
  EXPECT_FALSE(read.value.summary.empty());
  EXPECT_NE(text_of(GetParam()).find("Met "), std::string::npos) << "where it is met in real life";
  ASSERT_FALSE(read.value.rules.empty());
  EXPECT_EQ(read.value.rules.front().name.substr(0, 5), read.value.name.substr(0, 5));
  for (const auto& refusal : firewall::refuse(read.value.rules)) ADD_FAILURE() << refusal.message;
  for (const auto family : {Family::ipv4, Family::ipv6})
    in_namespace([&] {
      firewall::Ruleset ruleset(family, flow(family));
      ruleset.add(read.value.rules);
      for (const auto& rule : read.value.rules) {
        std::size_t held = 0;
        for (const auto& each : ruleset.held()) held += each.name == rule.name;
        EXPECT_GE(held, 1u) << rule.name;
      }
    });
}

TEST(Library, CoversTheLanguage) {
  std::set<Hook> hooks;
  std::set<Direction> directions;
  std::set<RuleAction> actions;
  std::set<std::string> keys, names;
  for (const auto& file : files(".toml"))
    for (const auto& rule : scenario::read_rules(file).value.rules) {
      EXPECT_TRUE(names.insert(rule.name).second) << rule.name << " is there twice";
      hooks.insert(rule.hook), directions.insert(rule.direction), actions.insert(rule.action);
      keys.merge(keys_of(rule));
    }
  EXPECT_GE(names.size(), 30u);
  EXPECT_EQ(hooks.size(), 5u);
  EXPECT_EQ(directions.size(), 3u);
  EXPECT_EQ(actions.size(), 8u);
  EXPECT_EQ(keys, every_key());
}

class WholeFile : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Library, WholeFile, ::testing::ValuesIn(files(".nft")), title);

TEST_P(WholeFile, LoadsBesideTypedFaults) {
  const auto text = text_of(GetParam());
  const bool only_ipv4 = text.find("table ip ") != std::string::npos;
  for (const auto family : {Family::ipv4, Family::ipv6}) {
    if (only_ipv4 && family == Family::ipv6) continue;
    in_namespace([&] {
      const auto loaded = firewall::load(text, flow(family), GetParam());
      EXPECT_TRUE(loaded.ok) << loaded.messages;
      firewall::Ruleset ruleset(family, flow(family));
      ruleset.add({counting("it")});
      EXPECT_TRUE(firewall::load(text, flow(family), GetParam()).ok) << "again";
      std::size_t held = 0;
      for (const auto& each : ruleset.held()) {
        held += each.name == "it";
        EXPECT_NE(each.text, "") << each.table << " " << each.chain << " " << each.handle;
      }
      EXPECT_EQ(held, 1u);
    });
  }
}

void load_file(const std::string& name, Family family) {
  const auto path = std::string(kSourceDir) + "/rules/" + name;
  const auto loaded = firewall::load(text_of(path), flow(family), path);
  ASSERT_TRUE(loaded.ok) << loaded.messages;
}

TEST(Library, TheSoundOnesLetConnectionsLive) {
  for (const auto* name : {"ufw.nft", "ufw-limit.nft", "firewalld.nft", "docker.nft", "nftables-server.nft"})
    for (const auto family : {Family::ipv4, Family::ipv6}) {
      if (name == std::string("docker.nft") && family == Family::ipv6) continue;
      in_namespace([&] {
        SCOPED_TRACE(name);
        load_file(name, family);
        talk(family);
      });
    }
}

TEST(Library, DockersPublishedPortIsTranslated) {
  in_namespace([] {
    load_file("docker.nft", Family::ipv4);
    Server listener(Family::ipv4);
    const auto client = dial(Family::ipv4, 9090);
    const auto server = listener.accept();
    say(client, "hello");
    EXPECT_EQ(hear(server, 5), "hello");
  });
}

// The broken ones open the connection and kill it then.
TEST(Library, TheBrokenOnesEatWhatComesAfterTheHandshake) {
  const std::pair<const char*, const char*> broken[] = {{"ufw-no-established.nft", "nobody accepted it"},
                                                        {"firewalld-wrong-zone.nft", ""},
                                                        {"docker-user-drop.nft", "the container's port"}};
  for (const auto& [name, culprit] : broken)
    for (const auto family : {Family::ipv4, Family::ipv6})
      in_namespace([&, file = name, by = culprit] {
        SCOPED_TRACE(file);
        load_file(file, family);
        firewall::Ruleset ruleset(family, flow(family));
        ruleset.add({counting("data", [](Rule& r) { r.hook = Hook::prerouting, r.match.flags_set = kPsh; })});
        Server listener(family);
        const auto client = dial(family);
        Wire wire;
        say(client, "lost");
        EXPECT_TRUE(wait_for_hits(ruleset, "data", 2));
        if (by != std::string()) {
          EXPECT_TRUE(wait_for_hits(ruleset, by, 1));
        }
        for (const auto& seen : wire.take())
          if (!seen.icmp && !(seen.flags & kSyn)) {
            EXPECT_TRUE(seen.to_server) << "nobody acknowledged it";
          }
      });
}

TEST(Library, UfwLimitCutsTheSeventh) {
  in_namespace([] {
    load_file("ufw-limit.nft", Family::ipv4);
    Server listener(Family::ipv4);
    std::vector<sys::Descriptor> open;
    for (int i = 0; i < 6; ++i) {
      open.push_back(dial(Family::ipv4));
      open.push_back(listener.accept());
    }
    try {
      dial(Family::ipv4);
      ADD_FAILURE() << "the seventh within half a minute";
    } catch (const sys::KernelError& error) {
      EXPECT_EQ(error.name(), "ECONNREFUSED");
    }
  });
}

}  // namespace
}  // namespace lab::test
