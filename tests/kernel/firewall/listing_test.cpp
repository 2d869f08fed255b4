// The whole emitted table: its text is what nft reads back, and its bytecode is what nft makes of that text.
#include <regex>
#include <sstream>

#include "firewall/compiler.hpp"
#include "place.hpp"
#include "rules.hpp"

namespace lab::test {
namespace {

class Listing : public ::testing::TestWithParam<firewall::Flow> {};

// Owned tables can't be loaded from a table's block (the kernel takes the block's first mention for one without owner).
std::string without_owner(const std::string& text) {
  return std::regex_replace(text, std::regex("\tflags owner\n\n"), "");
}

// "[ payload load … ]" lines only, without what differs between a rule to be made and one that was: the kernel names
// anonymous sets, and libnftnl prints what it did not say.
std::string bytecode(const std::string& debug) {
  std::string lines, line;
  for (std::istringstream from(debug); std::getline(from, line);) {
    if (!line.starts_with("  [ ")) continue;
    line = std::regex_replace(line, std::regex("__set[0-9]+"), "__set%d");
    line = std::regex_replace(line, std::regex("( 0x0| timeout 0ms) \\]$"), " ]");
    lines += line + "\n";
  }
  return lines;
}

// In portions that fit nft's own send buffer, which a user namespace can't enlarge.
std::vector<std::vector<Rule>> portions() {
  constexpr std::size_t kPortion = 100;
  const auto all = one_of_each();
  std::vector<std::vector<Rule>> some;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % kPortion == 0) some.emplace_back();
    some.back().push_back(all[i]);
  }
  return some;
}

TEST_P(Listing, TheKernelPrintsTheExpectedText) {
  const bool known_nft = output_of("nft --version").find("v1.0.6 ") != std::string::npos;
  for (const auto& rules : portions()) {
    in_namespace([&] {
      const auto expected = firewall::to_nft(rules, GetParam());
      firewall::Ruleset ruleset(GetParam().family, GetParam());
      ruleset.add(rules);
      const auto ours = listed();
      if (known_nft) {
        EXPECT_EQ(ours, expected);
      }
      in_namespace([&] {
        nft(without_owner(expected));
        EXPECT_EQ(listed(), without_owner(ours));
      });
    });
  }
}

TEST_P(Listing, TheBytecodeIsWhatNftMakesOfTheText) {
  for (const auto& rules : portions()) {
    in_namespace([&] {
      const auto text = without_owner(firewall::to_nft(rules, GetParam()));
      firewall::Ruleset ruleset(GetParam().family, GetParam());
      ruleset.add(rules);
      const auto ours = bytecode(output_of("nft --debug=netlink list table inet lab"));
      EXPECT_GT(ours.size(), 1000u);
      in_namespace(
          [&] { EXPECT_EQ(bytecode(output_of("nft --debug=netlink -f - <<'END'\n" + text + "END\n")), ours); });
    });
  }
}

// One rule after the other makes the same rules as all at once, in the same order.
TEST_P(Listing, AddingOneByOneIsTheSame) {
  in_namespace([] {
    firewall::Ruleset one_by_one(GetParam().family, GetParam());
    for (const auto& rule : one_of_each()) one_by_one.add({rule});
    const auto rules_only = [](const std::string& text) {
      std::string lines, line;
      for (std::istringstream from(text); std::getline(from, line);)
        if (line.find("comment \"rule-") != std::string::npos) lines += line + "\n";
      return lines;
    };
    EXPECT_EQ(rules_only(listed()), rules_only(firewall::to_nft(one_of_each(), GetParam())));
  });
}

// What is read back above is each key, alone and negated, in each direction; each hook; each action.
TEST(ListingOf, EveryKeyHookAndAction) {
  std::set<std::string> keys;
  std::set<Hook> hooks;
  std::set<RuleAction> actions;
  for (const auto& rule : one_of_each()) {
    keys.merge(keys_of(rule));
    hooks.insert(rule.hook), actions.insert(rule.action);
  }
  EXPECT_EQ(keys, every_key());
  EXPECT_EQ(hooks.size(), 5u);
  EXPECT_EQ(actions.size(), 8u);
}

INSTANTIATE_TEST_SUITE_P(Flows, Listing,
                         ::testing::Values(firewall::Flow{Family::ipv4, "127.0.0.1", "127.0.0.1", 8080},
                                           firewall::Flow{Family::ipv6, "::1", "::1", 65535},
                                           firewall::Flow{Family::ipv4, "10.0.2.2", "10.0.1.2", 80},
                                           firewall::Flow{Family::ipv6, "fd00:2::2", "fd00:1::2", 1}),
                         [](const auto& each) {
                           return std::string(scenario::name_of(each.param.family)) +
                                  (each.param.server_address == each.param.client_address ? "Loopback" : "Routed");
                         });

}  // namespace
}  // namespace lab::test
