// strace as an independent witness of system calls.
#pragma once

#include <string>
#include <vector>

#include "played.hpp"

namespace lab::test {

// `program` under strace, whose report goes to standard error.
Play under_strace(const Play& play);
// Runs `work` with standard error caught, and returns what was written there.
std::string standard_error_of(const std::function<void()>& work);
// "connect ECONNREFUSED", "recvfrom 5": calls on sockets with their result or error, in order.
std::vector<std::string> calls_in_strace(const std::string& report);
std::vector<std::string> calls_in(const Played& played, int not_of_pid = 0);

}  // namespace lab::test
