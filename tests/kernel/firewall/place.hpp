// A place to try rules in: a child with its own user and network namespace, the way every sandbox has them.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "firewall/compiler.hpp"

namespace lab::test {

// Runs `body` in a child with new user and net namespaces, lo up. Expectations fail the calling test.
void in_namespace(const std::function<void()>& body);

// What a command printed (standard error too); it is run by sh in the calling process's namespaces.
std::string output_of(const std::string& command);
// Feeds `text` to `nft -f`; fails the test where nft complains.
void nft(const std::string& text);

firewall::Flow flow(scenario::Family family, std::uint16_t port = 8080);
const char* loopback(scenario::Family family);

// Packets that the rules of this name counted.
std::uint64_t hits(const firewall::Ruleset& ruleset, const std::string& name);
// Waits until they are at least so many; false after ten seconds.
bool wait_for_hits(const firewall::Ruleset& ruleset, const std::string& name, std::uint64_t wanted);
// Waits until `done`; false after ten seconds.
bool wait_until(const std::function<bool()>& done);

// `nft list ruleset` without what differs from run to run: counters' values and the owner's name.
std::string listed();

}  // namespace lab::test
