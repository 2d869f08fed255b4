// What the tests of the rules share.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "firewall/compiler.hpp"
#include "support/netns.hpp"

namespace lab::test {

// Feeds `text` to `nft -f`; fails the test where nft complains.
void nft(const std::string& text);

firewall::Flow flow(scenario::Family family, std::uint16_t port = 8080);
const char* loopback(scenario::Family family);

// Packets that the rules of this name counted.
std::uint64_t hits(const firewall::Ruleset& ruleset, const std::string& name);
// Waits until they are at least so many; false after ten seconds.
bool wait_for_hits(const firewall::Ruleset& ruleset, const std::string& name, std::uint64_t wanted);
// `nft list ruleset` without what differs from run to run: counters' values and the owner's name.
std::string listed();

}  // namespace lab::test
