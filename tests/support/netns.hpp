// A place to try things in: a child with its own user and network namespace, the way every sandbox has them.
#pragma once

#include <functional>
#include <string>

namespace lab::test {

// Runs `body` in a child with new user and net namespaces, lo up. Expectations fail the calling test.
void in_namespace(const std::function<void()>& body);

// What a command printed (standard error too); it is run by sh in the calling process's namespaces.
std::string output_of(const std::string& command);

// Waits until `done`; false after ten seconds.
bool wait_until(const std::function<bool()>& done);

}  // namespace lab::test
